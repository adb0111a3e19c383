/**
 * The promise that a rule's step is done at most once and every firing is accounted for, whichever one device is killed
 * at whichever moment of it: a table of moments and devices, each cell tried with `kill -9`.
 * Relies on devices that stand still where they are told to; one kill meets a firing at every moment of the table.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionInfo } from '../../src/core/rule-shapes.ts';
import { rankHosts, timedFiring } from '../../src/rules/placement.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import { waitFor } from '../../src/testing/wait-for.ts';
import { formFabric, inSession, StoppingDevice } from './stopping-devices.ts';

/*
 * Every rule writes the lamp's level and then the fan's. The rules of events run at the hall, which rings; those of time
 * at the hall too, while the attic stands by: their triggers are named so that these two come first in line. The attic is
 * the only admin as well. A cell says what is told, then how often the lamp and the fan did their step:
 *
 * done      the execution ended well at the hall
 * taken     the hall's was taken over by the attic, where it ended well
 * attic     the attic alone knows of it: it ended well there
 * offline   failed, since the lamp was away
 * unknown   failed, since nobody can know whether the lamp did its step
 * nothing   no execution is known
 */
type Cell = `${'done' | 'taken' | 'attic' | 'offline' | 'unknown' | 'nothing'} ${0 | 1}+${0 | 1}`;
type Column = 'hall' | 'lamp' | 'fan' | 'attic';
const kinds = ['event', 'time'] as const;
type Kind = (typeof kinds)[number];

interface Row {
  /** Where the device that comes there stands still. */
  readonly points: readonly string[];
  /** What becomes of the firing of an event and of one of a planned time, where the hall is killed. */
  readonly hall: readonly [event: Cell, time: Cell];
  readonly lamp: Cell;
  readonly fan: Cell;
  readonly attic: Cell;
}

const well = { fan: 'done 1+1', attic: 'done 1+1' } as const;
const goesOn = { hall: ['done 1+1', 'taken 1+1'], lamp: 'done 1+1', ...well } as const;

const table: Readonly<Record<string, Row>> = {
  // Before the trigger: the device that would tell is dead, or has nobody to tell.
  early: { points: [], hall: ['nothing 0+0', 'attic 1+1'], lamp: 'offline 0+0', ...well },
  // The first command was sent and answered before the run was on the disk: gone with its runner, who says nothing.
  unkept: {
    points: ['keeping', 'answered'],
    hall: ['nothing 1+0', 'attic 1+1'],
    lamp: 'done 1+1',
    ...well,
  },
  // On the disk, and nothing sent.
  begun: { points: ['begun'], hall: ['done 1+1', 'taken 1+1'], lamp: 'offline 0+0', ...well },
  // At the lamp, and not written down there.
  sent: { points: ['sent'], ...goesOn },
  // Written down at the lamp, and not done.
  recorded: { points: ['recorded'], ...goesOn, lamp: 'unknown 0+0' },
  // Done, and not answered.
  acted: { points: ['acted'], ...goesOn, lamp: 'unknown 1+0' },
  // Answered, and not noted by the runner.
  answered: { points: ['answered'], ...goesOn },
  delay: { points: ['delay'], ...goesOn },
  wait: { points: ['wait'], ...goesOn },
  // Between two steps of different devices.
  between: { points: ['between'], ...goesOn },
  // After the last step, before the execution is closed.
  closing: { points: ['closing'], ...goesOn, hall: ['done 1+1', 'done 1+1'] },
};
const moments = Object.keys(table);
const columns: readonly Column[] = ['lamp', 'fan', 'attic', 'hall'];
const rounds = process.env.ALTHING_TEST_LONG ? 20 : 1;

/** Asking costs the devices time, too, which they need for their rules. */
const betweenLooksMs = 100;
/** Waits for what devices are asked for. */
const comes = (what: string, condition: () => Promise<boolean> | boolean): Promise<unknown> =>
  waitFor(async () => (await condition()) || delay(betweenLooksMs, false), { timeoutMs: 60_000, what });

const devices = {
  attic: new StoppingDevice('attic', 'Attic chest'),
  hall: new StoppingDevice('hall', 'Hall bell'),
  lamp: new StoppingDevice('lamp', 'Lamp'),
  fan: new StoppingDevice('fan', 'Fan'),
} as const;
const all = Object.values(devices);

after(() => Promise.all(all.map((device) => device.close())));
before(() => formFabric(all, all.length));

const keyOf = (moment: string, kind: Kind): string => `${moment}-${kind}`;
/** The rules, by key. */
const cells = moments.flatMap((moment) => kinds.map((kind) => [keyOf(moment, kind), moment, kind] as const));
const cellOf = (moment: string, kind: Kind, victim: Column): Cell => {
  const { hall, ...rest } = table[moment]!;
  return victim === 'hall' ? hall[kind === 'event' ? 0 : 1] : rest[victim];
};

/** An `id` for a trigger by which the hall runs the firing, and the attic stands by. */
const triggerFor = (rule: string, atMs: number): string => {
  const hosts = all.map(({ id }) => id);
  for (let n = 0; ; n++) {
    const [first, second] = rankHosts(timedFiring(rule, `t${n}`, atMs), hosts, nodeCrypto);
    if (first === devices.hall.id && second === devices.attic.id) return `t${n}`;
  }
};

const ruleText = (moment: string, trigger: string, rule: { key: string; tag: number; deadline: string }) => {
  const { key, tag, deadline } = rule;
  const pause =
    moment === 'delay'
      ? '- delay: 4s'
      : moment === 'wait'
        ? `- wait: { until: 'thing("Lamp").go == ${tag}', timeout: 2m, onTimeout: stop }`
        : '- choose: [{ if: "false", steps: [] }]';
  // What is never chosen makes the hall and the attic hosts of the rule.
  return `name: ${key}
mode: parallel
triggers:
  - ${trigger}
steps:
  - write: { thing: Lamp, property: level, value: ${tag} }
    deadline: ${deadline}
  ${pause.replace('steps: []', 'steps: [{ stop: never }]')}
  - write: { thing: Fan, property: level, value: ${tag} }
    deadline: 2m
    retry: { times: 10, pause: 2s }
  - choose:
      - if: "false"
        steps:
          - write: { thing: Hall bell, property: level, value: 0 }
          - write: { thing: Attic chest, property: level, value: 0 }
`;
};

/** Of rules that were applied together: by what their firings are told from earlier ones. */
interface Planned {
  /** What their steps write, and what an event has to bring. */
  readonly tag: number;
  /** When those of time fire, milliseconds since 1970. */
  readonly atMs: number;
}

let tags = 0;
/**
 * Makes rules of these moments known to all, with what stands still for them; those of time fire in `leftMs` or later.
 * A machine that was too slow for that tries again.
 */
const plan = async (wanted: readonly string[], victim: Column, leftMs: number): Promise<Planned> => {
  for (let inMs = leftMs + 2000; ; inMs *= 2) {
    const tag = ++tags;
    const atMs = Math.ceil((Date.now() + inMs) / 1000) * 1000;
    await applyRules(wanted, victim, { tag, atMs });
    if (Date.now() + leftMs < atMs) return { tag, atMs };
  }
};

const applyRules = async (
  wanted: readonly string[],
  victim: Column,
  { tag, atMs }: Planned,
): Promise<void> => {
  const at = new Date(atMs).toISOString().slice(11, 19);
  const texts = wanted.flatMap((moment) =>
    kinds.map((kind) => {
      const key = keyOf(moment, kind);
      const event = moment === 'early' ? 'late' : 'ring';
      const trigger =
        kind === 'event'
          ? `event: { thing: Hall bell, name: ${event} }`
          : `{ time: { at: "${at}" }, id: ${triggerFor(key, atMs)} }`;
      // What comes to nothing comes to it at the deadline.
      const deadline = cellOf(moment, kind, victim).startsWith('unknown') ? '5s' : '2m';
      return ruleText(moment, trigger, { key, tag, deadline });
    }),
  );
  await devices.attic.call('apply', texts.join('---\n'));
  const known = await devices.attic.call<string>('rules');
  for (const device of all)
    await comes(`the rules to arrive at ${device.name}`, async () => (await device.call('rules')) === known);
};

/** The executions of a rule, wherever they are kept. */
const executionsOf = async (key: string, { tag, atMs }: Planned): Promise<ExecutionInfo[]> => {
  const asked = all.find((device) => device.isUp && device !== devices.lamp)!;
  const found = await asked.call<ExecutionInfo[]>('trace', key);
  return found.filter(({ trigger, firing }) =>
    trigger.kind === 'event' ? trigger.event === tag : firing.endsWith(`/${atMs}`),
  );
};

/** What executions tell, in the words of the table. */
const toldBy = (executions: readonly ExecutionInfo[]): string => {
  const nameOf = (peer: string): string => all.find(({ id }) => id === peer)!.name;
  const ends = executions.map(({ peer, outcome, message, steps }) => {
    const bad = steps.find(({ what }) => what === 'failed' || what === 'unknown');
    const why = outcome === 'failed' ? bad?.code : outcome === 'done' ? undefined : message;
    return [nameOf(peer), outcome, why].filter(Boolean).join(' ');
  });
  const words: Readonly<Record<string, string>> = {
    '': 'nothing',
    'hall done': 'done',
    'attic done': 'attic',
    'attic done, hall cancelled taken over by attic': 'taken',
    'hall failed peer-offline': 'offline',
    'hall failed outcome-unknown': 'unknown',
  };
  const told = ends.sort().join(', ');
  return words[told] ?? told;
};

const countOf = async (device: StoppingDevice, key: string, tag: number): Promise<number> =>
  (await device.deeds()).filter(({ rule, value }) => rule === key && value === tag).length;

/** Lets firings come to every moment, kills the victim there, lets all go on; resolves with what became of each. */
const play = async (victim: Column): Promise<Record<string, string>> => {
  const { hall } = devices;
  const others = all.filter((device) => device !== devices[victim]);
  const held = await comeToMoments(victim);
  // The lamp has to be missed before the last rule fires; of the others it makes no difference.
  const early = await plan(['early'], victim, 4000);
  await devices[victim].kill();
  for (const device of others)
    await comes(
      `${device.name} to miss the ${victim}`,
      async () => !(await device.call<string[]>('online')).includes(devices[victim].id),
    );
  assert.ok(victim !== 'lamp' || Date.now() < early.atMs, 'the lamp is missed in time');
  if (victim !== 'hall') await hall.call('ring', 'Hall bell', 'late', early.tag);
  for (const device of others) await device.call('release');

  const planOf = (moment: string): Planned => (moment === 'early' ? early : held);
  // What is to happen while it is away happens before it is back.
  if (victim === 'lamp') await allOver(['early', 'begun'], kinds, planOf);
  else await devices.lamp.call('set', 'Lamp', 'go', held.tag);
  if (victim === 'hall')
    await allOver(
      moments.filter((moment) => moment !== 'closing'),
      ['time'],
      planOf,
    );
  await devices[victim].start();
  await inSession(all);
  if (victim === 'lamp') await devices.lamp.call('set', 'Lamp', 'go', held.tag);

  const became: Record<string, string> = {};
  for (const [key, moment, kind] of cells) {
    const expected = cellOf(moment, kind, victim);
    const look = async (): Promise<string> => {
      const told = toldBy(await executionsOf(key, planOf(moment)));
      const { tag } = planOf(moment);
      return `${told} ${await countOf(devices.lamp, key, tag)}+${await countOf(devices.fan, key, tag)}`;
    };
    await comes(`${key} to be ${expected}`, async () => {
      became[key] = await look();
      return became[key] === expected;
    }).catch((error: unknown) => console.error(String(error), became[key]));
    // More than that never comes.
    became[key] = await look();
  }
  return became;
};

/** Fires all rules but the early ones; resolves when each stands still at its moment. */
const comeToMoments = async (victim: Column): Promise<Planned> => {
  const { hall } = devices;
  const later = moments.filter((moment) => moment !== 'early');
  const planned = await plan(later, victim, 1000);
  const points = Object.fromEntries(cells.map(([key, moment]) => [key, table[moment]!.points]));
  for (const device of all) await device.hold(points);
  await comes('the bell to be followed', async () => (await hall.call<number>('followed')) >= later.length);
  await hall.call('ring', 'Hall bell', 'ring', planned.tag);
  for (const [key, moment] of cells)
    for (const point of table[moment]!.points)
      await comes(`${key} to come to ${point}`, () => all.some((device) => device.hasReached(key, point)));
  return planned;
};

const allOver = async (
  wanted: readonly string[],
  of: readonly Kind[],
  planOf: (moment: string) => Planned,
): Promise<void> => {
  for (const [key, moment, kind] of cells)
    if (wanted.includes(moment) && of.includes(kind))
      await comes(`the end of ${key}`, async () => {
        const executions = await executionsOf(key, planOf(moment));
        return executions.length > 0 && executions.every(({ ended }) => ended !== null);
      });
};

for (const victim of columns)
  test(`the ${victim} is killed at every moment of a firing: no step is done twice, and what became of it is told`, async () => {
    for (let round = 0; round < rounds; round++) {
      const became = await play(victim);
      const expected = cells.map(([key, moment, kind]) => [key, cellOf(moment, kind, victim)]);
      assert.deepEqual(became, Object.fromEntries(expected), `round ${round}`);
    }
  });
