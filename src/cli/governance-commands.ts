/**
 * The commands by which people govern a fabric, as data: a part of the command table.
 * Relies on nothing at load time.
 */
import type { CommandSpec, OptionSpec } from './command-spec.ts';

const peer = ['<peer>', "a member by name or id: 'althing members' lists them"] as const;
const before: OptionSpec = {
  flags: '--before <time>',
  summary: 'of an admin: nothing that it said from this time on stands (a stolen key)',
};

export const governanceCommands: readonly CommandSpec[] = [
  {
    name: 'members',
    args: [],
    summary: 'list the members, how they came, and what is proposed about them',
    options: [{ flags: '--all', summary: 'also those who are out' }],
    load: () => import('./members.ts'),
  },
  {
    name: 'role',
    args: [peer, ['<role>', 'admin, member or guest']],
    summary: 'change what a member may do; to or from admin more than half of the admins must agree',
    options: [before],
    load: () => import('./role.ts'),
  },
  {
    name: 'rename',
    args: [
      ['<target>', 'a Thing or a peer, by name or id'],
      ['[name]', 'what everybody is to call it; an empty text takes the name away'],
    ],
    summary: 'name a Thing or a peer for the whole fabric, or say in which room it is',
    options: [{ flags: '--room <room>', summary: 'the room; an empty text takes it out of its room' }],
    load: () => import('./rename.ts'),
  },
  {
    name: 'grant',
    args: [
      ['<subject>', 'a peer by name or id, role:guest or role:member'],
      ['[thing...]', "Things by id or name: 'althing things' lists them"],
    ],
    summary: 'let somebody use Things',
    options: [
      { flags: '--type <type>', summary: 'every Thing with this @type, instead of naming them' },
      { flags: '--all', summary: 'every Thing' },
      {
        flags: '--ops <list>',
        summary: 'some of read,write,invoke,subscribe (default: these), and rule: to write rules',
      },
      { flags: '--affordances <list>', summary: 'these properties, actions and events only' },
      { flags: '--from <time>', summary: 'when it begins, such as 2026-05-01T18:30 (default: now)' },
      { flags: '--for <duration>', summary: 'how long it lasts: 30m, 2h, 7d (default: for good)' },
    ],
    load: () => import('./grant.ts'),
  },
  {
    name: 'grants',
    args: [],
    summary: 'list the grants',
    options: [],
    load: () => import('./grants.ts'),
  },
  {
    name: 'restrict',
    args: [['<thing>', 'id, unique title or local name, or peer/name']],
    summary: 'keep a Thing for admins and those with a grant',
    options: [{ flags: '--off', summary: 'open it to all members again' }],
    load: () => import('./restrict.ts'),
  },
  {
    name: 'invites',
    args: [],
    summary: 'list the invites that still let somebody in',
    options: [],
    load: () => import('./invites.ts'),
  },
  {
    name: 'revoke',
    args: [['<what>', 'a peer by name or id, or the id of an invite, a guest pass or a grant']],
    summary: 'end a membership, an invite, a guest pass or a grant',
    options: [before],
    load: () => import('./revoke.ts'),
  },
  {
    name: 'replace',
    args: [['<old>', 'the peer whose place is taken, by name or id']],
    summary: 'put a device in the place of another: Things, names, rules and grants go on',
    options: [{ flags: '--with <peer>', summary: 'the member that takes it (default: this device)' }],
    load: () => import('./replace.ts'),
  },
  {
    name: 'leave',
    args: [],
    summary: 'take this device out of its fabric',
    options: [{ flags: '--yes', summary: 'even as the only admin' }],
    load: () => import('./leave.ts'),
  },
  {
    name: 'recover',
    args: [],
    summary: 'make this device the admin by the 24 words (typed, from stdin or ALTHING_RECOVERY_WORDS)',
    options: [
      { flags: '--keep <peer>', summary: 'an admin that stays one (repeatable)', many: true },
      {
        flags: '--revoke <peer>',
        summary: 'an admin that is put out of the fabric (repeatable)',
        many: true,
      },
      before,
    ],
    load: () => import('./recover.ts'),
  },
];
