/**
 * The commands of automation, as data: a part of the command table.
 * Relies on nothing at load time.
 */
import type { CommandSpec, OptionSpec } from './command-spec.ts';

const rule = ['<rule>', "a rule by its name or key: 'althing rules' lists them"] as const;
const scene = ['<scene>', "a scene by its name or key: 'althing scene list' lists them"] as const;
const limit = (what: string): OptionSpec => ({ flags: '--limit <n>', summary: `how many ${what} at most` });

export const ruleCommands: readonly CommandSpec[] = [
  {
    name: 'rules',
    args: [],
    summary: 'list the rules',
    options: [],
    load: () => import('./rules.ts'),
  },
  {
    name: 'rules apply',
    args: [['<file>', "rules in YAML, parted by '---'; '-' reads from stdin"]],
    summary: 'make or change rules: all that are in a file, or none',
    options: [],
    load: () => import('./rules-apply.ts'),
  },
  {
    name: 'rules show',
    args: [rule],
    summary: "show a rule as YAML, which 'rules apply' takes back",
    options: [],
    load: () => import('./rules-show.ts'),
  },
  {
    name: 'rules remove',
    args: [rule],
    summary: 'remove a rule; what it is doing is stopped',
    options: [],
    load: () => import('./rules-remove.ts'),
  },
  {
    name: 'rules enable',
    args: [rule],
    summary: 'let a rule fire again',
    options: [],
    load: () => import('./rules-enable.ts'),
  },
  {
    name: 'rules disable',
    args: [rule],
    summary: 'keep a rule and let it not fire; what it is doing is stopped',
    options: [],
    load: () => import('./rules-disable.ts'),
  },
  {
    name: 'rules run',
    args: [rule],
    summary: 'fire a rule by hand, here and now',
    options: [{ flags: '--input <json>', summary: 'what trigger.event is: JSON, or plain text' }],
    load: () => import('./rules-run.ts'),
  },
  {
    name: 'rules test',
    args: [rule],
    summary: 'say what a rule would do now, by the values as they are; nothing is commanded',
    options: [
      { flags: '--trigger <id>', summary: 'which trigger fires, by its id or number (default: the first)' },
      { flags: '--with <event>', summary: "the trigger's data or the property's value: JSON, or plain text" },
    ],
    load: () => import('./rules-test.ts'),
  },
  {
    name: 'rules trace',
    args: [rule],
    summary: 'show what a rule did: what fired, what it saw, its steps and how they ended',
    options: [limit('firings')],
    load: () => import('./rules-trace.ts'),
  },
  {
    name: 'why',
    args: [['<thing>', "id, unique title or local name, or peer/name: 'althing things' lists them"]],
    summary: 'say why a Thing is as it is',
    options: [],
    load: () => import('./why.ts'),
  },
  {
    name: 'activity',
    args: [],
    summary: 'show what rules did here and what Things here were told, newest last',
    options: [{ flags: '--follow', summary: 'what happens from now on, until interrupted' }, limit('lines')],
    load: () => import('./activity.ts'),
  },
  {
    name: 'scene',
    args: [],
    summary: 'list the scenes',
    options: [],
    load: () => import('./scene-list.ts'),
  },
  {
    name: 'scene list',
    args: [],
    summary: 'list the scenes',
    options: [],
    load: () => import('./scene-list.ts'),
  },
  {
    name: 'scene save',
    args: [
      ['<name>', 'what to call it'],
      ['[thing...]', "Things by id or name: 'althing things' lists them"],
    ],
    summary: 'keep the values that Things have now as a scene',
    options: [{ flags: '--room <room>', summary: 'every Thing in this room' }],
    load: () => import('./scene-save.ts'),
  },
  {
    name: 'scene apply',
    args: [scene],
    summary: 'give Things the values of a scene',
    options: [],
    load: () => import('./scene-apply.ts'),
  },
  {
    name: 'scene remove',
    args: [scene],
    summary: 'remove a scene',
    options: [],
    load: () => import('./scene-remove.ts'),
  },
  {
    name: 'place',
    args: [],
    summary: 'show or say where the fabric is, for times of day and the sun',
    options: [
      { flags: '--zone <zone>', summary: 'time zone, such as Europe/Berlin' },
      { flags: '--latitude <degrees>', summary: 'degrees north' },
      { flags: '--longitude <degrees>', summary: 'degrees east' },
    ],
    load: () => import('./place.ts'),
  },
];
