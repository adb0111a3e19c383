/**
 * Every command of the program with its arguments and options, as data.
 * Relies on nothing at load time: each command's own file is read only when that command runs.
 */
import type { CommandSpec, OptionSpec } from './command-spec.ts';
import { governanceCommands } from './governance-commands.ts';
import { ruleCommands } from './rule-commands.ts';

/** Taken by every command. */
export const commonOptions: readonly OptionSpec[] = [
  { flags: '--home <dir>', summary: 'which peer: the directory it lives in (default: $ALTHING_HOME)' },
  { flags: '--json', summary: 'one JSON document on stdout, or one a line for streams' },
];

const thing = [
  '<thing>',
  "id, unique title or local name, or peer/name: 'althing things' lists them",
] as const;
const nameOption: OptionSpec = { flags: '--name <name>', summary: 'what people call this device' };

/** All commands, in the order in which help lists them. */
export const commands: readonly CommandSpec[] = [
  {
    name: 'up',
    args: [],
    summary: "run this device's peer in the foreground",
    options: [
      nameOption,
      { flags: '--things <file>', summary: 'a script that exposes Things (repeatable)', many: true },
      { flags: '--listen <host:port>', summary: 'where other peers connect to (default port 7421)' },
      { flags: '--http <host:port>', summary: 'offer the gateway over TCP too' },
      { flags: '--no-mdns', summary: 'neither announce this peer on the local network nor look for others' },
      { flags: '--bootstrap <host:port>', summary: 'an address of another member (repeatable)', many: true },
      { flags: '--no-system', summary: 'do not expose this machine itself as a Thing' },
    ],
    load: () => import('./up.ts'),
  },
  {
    name: 'init',
    args: [],
    summary: 'make an identity and a fabric without starting the peer',
    options: [{ flags: '--fabric <name>', summary: 'what people call the fabric' }, nameOption],
    load: () => import('./init.ts'),
  },
  {
    name: 'recovery',
    args: [],
    summary: 'show the 24 words that replace lost admins, once, and forget them',
    options: [],
    load: () => import('./recovery.ts'),
  },
  {
    name: 'token',
    args: [],
    summary: 'make a token for the gateway',
    options: [{ flags: '--scope <scope>', summary: 'read, use or manage (default: use)' }],
    load: () => import('./token.ts'),
  },
  {
    name: 'token revoke',
    args: [['<id>', "which token: 'althing tokens' lists them"]],
    summary: 'make a token worthless',
    options: [],
    load: () => import('./token-revoke.ts'),
  },
  {
    name: 'tokens',
    args: [],
    summary: 'list the tokens for the gateway',
    options: [],
    load: () => import('./tokens.ts'),
  },
  {
    name: 'invite',
    args: [],
    summary: 'make a ticket that lets another device join',
    options: [
      { flags: '--role <role>', summary: 'member or guest (default: member)' },
      { flags: '--uses <n>', summary: 'how many devices may join by it (default: 1)' },
      { flags: '--expires <duration>', summary: 'how long it lasts: 90s, 30m, 12h, 1d (default: 1d)' },
      { flags: '--replaces <peer>', summary: 'who joins by it takes the place of this peer' },
    ],
    load: () => import('./invite.ts'),
  },
  {
    name: 'join',
    args: [['<ticket>', "what 'althing invite' or 'althing share' printed on a device of the fabric"]],
    summary: 'join a fabric, or use what a guest pass shares',
    options: [nameOption],
    load: () => import('./join.ts'),
  },
  {
    name: 'share',
    args: [['<things...>', "which Things: 'althing things' lists them"]],
    summary: 'make a guest pass: a stranger uses these Things for a while',
    options: [
      { flags: '--ops <list>', summary: 'of read, write, invoke, subscribe, by commas (default: all)' },
      { flags: '--affordances <list>', summary: 'only these properties, actions and events, by commas' },
      { flags: '--for <duration>', summary: 'how long it lasts: 90s, 30m, 2h, 1d (default: 1d)' },
      { flags: '--uses <n>', summary: 'how many strangers may use it (default: 1)' },
    ],
    load: () => import('./share.ts'),
  },
  {
    name: 'shares',
    args: [],
    summary: 'list the guest passes that this device has given',
    options: [],
    load: () => import('./shares.ts'),
  },
  {
    name: 'peers',
    args: [],
    summary: 'list the members of the fabric',
    options: [],
    load: () => import('./peers.ts'),
  },
  ...governanceCommands,
  {
    name: 'doctor',
    args: [],
    summary: 'say what is wrong with this peer, and what to do',
    options: [],
    load: () => import('./doctor.ts'),
  },
  {
    name: 'things',
    args: [['[query]', 'text found in id, title or type']],
    summary: 'list the Things of the fabric',
    options: [
      { flags: '--type <type>', summary: 'only Things with this @type' },
      { flags: '--room <room>', summary: 'only Things in this room' },
    ],
    load: () => import('./things.ts'),
  },
  {
    name: 'describe',
    args: [thing],
    summary: 'show what a Thing offers: its Thing Description',
    options: [],
    load: () => import('./describe.ts'),
  },
  {
    name: 'read',
    args: [thing, ['<property>', 'which property']],
    summary: 'read a property',
    options: [{ flags: '--last', summary: 'the last known value and its age, also while its device is off' }],
    load: () => import('./read.ts'),
  },
  {
    name: 'write',
    args: [thing, ['<property>', 'which property'], ['<value>', 'JSON, or plain text']],
    summary: 'write a property',
    options: [],
    load: () => import('./write.ts'),
  },
  {
    name: 'invoke',
    args: [thing, ['<action>', 'which action'], ['[input]', 'JSON, or plain text']],
    summary: 'invoke an action',
    options: [
      { flags: '--no-wait', summary: 'do not wait for the end of a long action: show its status and return' },
    ],
    load: () => import('./invoke.ts'),
  },
  {
    name: 'observe',
    args: [thing, ['<property>', 'which property']],
    summary: 'show a property whenever it changes, until interrupted',
    options: [],
    load: () => import('./observe.ts'),
  },
  {
    name: 'subscribe',
    args: [thing, ['<event>', 'which event']],
    summary: 'show an event whenever it happens, until interrupted',
    options: [],
    load: () => import('./subscribe.ts'),
  },
  ...ruleCommands,
  {
    name: 'backup',
    args: [['<file>', 'where to write it, encrypted with a passphrase (or $ALTHING_PASSPHRASE)']],
    summary: "write all of this peer into one encrypted file, which 'age' can open too",
    options: [],
    load: () => import('./backup.ts'),
  },
  {
    name: 'restore',
    args: [['<file>', "what 'althing backup' wrote"]],
    summary: 'make this home the peer that a backup holds',
    options: [],
    load: () => import('./restore.ts'),
  },
  {
    name: 'rebuild',
    args: [],
    summary: 'make a damaged database anew; the peer then fetches what it held from the other members',
    options: [],
    load: () => import('./rebuild.ts'),
  },
  {
    name: 'demo',
    args: [],
    summary: 'run a whole home on this machine, a process a device',
    options: [{ flags: '--once', summary: 'play it through once, tell it as text, and end' }],
    load: () => import('./demo.ts'),
  },
];

/** The command of this name; it must be in the table. */
export const commandNamed = (name: string): CommandSpec => {
  const found = commands.find((command) => command.name === name);
  if (found === undefined) throw new Error(`No command "${name}" in the table.`);
  return found;
};
