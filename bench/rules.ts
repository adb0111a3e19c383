/**
 * What rules cost: from an event on one device to the command on another, the failover of a timed rule, a hundred rules.
 * Relies on real processes on loopback, whose monotonic clock is one; bare commands take turns with the events.
 */
import { placeFiring, timedFiring } from '../src/rules/placement.ts';
import { nodeCrypto } from '../src/store/node-crypto.ts';
import { RuleHome } from './rule-homes.ts';
import type { FloodAnswer, TurnsAnswer } from './rule-peer.ts';
import { quantile, type Spread, spreadOf } from './statistics.ts';

/** How much is measured. */
export interface RulesBenchOptions {
  readonly rounds?: number;
  readonly turns?: number;
  readonly failovers?: number;
}

/** Times of one kind, microseconds: of each round the middle and the tail, and the whole as a ratio to bare commands. */
export interface LatencyFigures {
  readonly rule: string;
  /** From the event to the handler of the command. */
  readonly acted: { readonly median: Spread; readonly p99: Spread };
  /** From asking for a bare command to its answer. */
  readonly command: { readonly median: Spread; readonly p99: Spread };
  readonly ratio: Spread;
  readonly ratioP99: Spread;
}

/** A peer with a hundred rules, for some seconds. */
export interface LoadFigures {
  readonly what: string;
  readonly outcomes: FloodAnswer['outcomes'];
  /** CPU time of the peer that runs the rules, as a share of one core. */
  readonly cpuPercent: number;
  /** Commands that came to the second device. */
  readonly commands: number;
}

export interface RulesFigures {
  readonly latency: readonly LatencyFigures[];
  /** Milliseconds from the death of the runner's process, or from the planned time, to the next host's command. */
  readonly failover: { readonly inTheMiddle: number[]; readonly atThePlannedTime: number[] };
  readonly load: readonly LoadFigures[];
}

const pauseMs = 5;
const warmUpTurns = 300;

/** Measures. Takes about three minutes. */
export const benchRules = async (options: RulesBenchOptions = {}): Promise<RulesFigures> => {
  const { rounds = 8, turns = 150, failovers = 4 } = options;
  return {
    latency: [
      await benchLatency('one command', rounds, turns, { value: '1' }),
      await benchLatency('a condition, and a value that is computed', rounds, turns, {
        condition: 'thing("near lamp").plain == 0',
        value: '{ cel: trigger.event }',
      }),
    ],
    failover: await benchFailover(failovers),
    load: [
      await benchLoad('each event fires one rule', 100),
      await benchLoad('each event fires all rules, of which one holds', 1),
    ],
  };
};

const benchLatency = async (
  rule: string,
  rounds: number,
  turns: number,
  { condition, value }: { readonly condition?: string; readonly value: string },
): Promise<LatencyFigures> => {
  const home = await RuleHome.start(['far', 'near']);
  const [far, near] = [home.devices[0]!, home.devices[1]!];
  try {
    await far.ask({
      ask: 'apply',
      rules: `
name: Press
maxPerMinute: 6000
triggers:
  - event: { thing: near lamp, name: pressed0 }
${condition === undefined ? '' : `conditions:\n  - ${condition}\n`}steps:
  - write: { thing: far lamp, property: ruled, value: ${value} }
`,
    });
    await home.ready(1);
    const round = async (count: number): Promise<{ acted: number[]; plain: number[] }> => {
      const asked = { ask: 'turns', turns: count, lamp: 'far lamp', pauseMs } as const;
      const { pressed, plain } = await near.ask<TurnsAnswer>(asked);
      const ruled = (await far.deeds()).filter(({ property }) => property === 'ruled');
      if (ruled.length !== count) throw new Error(`${ruled.length} of ${count} events became a command.`);
      return { acted: ruled.map(({ at }, turn) => at - pressed[turn]!), plain };
    };
    await round(warmUpTurns);
    const all: Awaited<ReturnType<typeof round>>[] = [];
    for (let n = 0; n < rounds; n++) all.push(await round(turns));
    const of = (share: number, kind: 'acted' | 'plain') => all.map((one) => quantile(one[kind], share));
    const ratios = (share: number) =>
      spreadOf(of(share, 'acted').map((acted, n) => acted / of(share, 'plain')[n]!));
    const spreads = (kind: 'acted' | 'plain') => ({
      median: spreadOf(of(0.5, kind)),
      p99: spreadOf(of(0.99, kind)),
    });
    return {
      rule,
      acted: spreads('acted'),
      command: spreads('plain'),
      ratio: ratios(0.5),
      ratioP99: ratios(0.99),
    };
  } finally {
    await home.close();
  }
};

const leadMs = 4000;
const delayMs = 200;

/** A rule that lights all lamps at a time of day, and puts them out a moment later. */
const timedRule = (name: string, at: Date): string => `
name: ${name}
triggers:
  - time: { at: "${at.toISOString().slice(11, 19)}" }
    id: time
steps:
  - write: { every: { capability: ruled }, property: ruled, value: 1 }
    onFailure: continue
  - delay: ${delayMs}ms
  - write: { every: { capability: ruled }, property: ruled, value: 0 }
    onFailure: continue
`;

/** Kills the runner of a timed rule, half of the times in its delay and half just before the planned time. */
const benchFailover = async (times: number): Promise<RulesFigures['failover']> => {
  const figures: RulesFigures['failover'] = { inTheMiddle: [], atThePlannedTime: [] };
  const home = await RuleHome.start(['first', 'second']);
  try {
    await home.devices[0]!.ask({ ask: 'place', zone: 'UTC' });
    for (let n = 0; n < times * 2; n++) {
      const kind = n % 2 === 0 ? 'inTheMiddle' : 'atThePlannedTime';
      figures[kind].push(await oneFailover(home, n, kind));
    }
    return figures;
  } finally {
    await home.close();
  }
};

const oneFailover = async (
  home: RuleHome,
  n: number,
  kind: keyof RulesFigures['failover'],
): Promise<number> => {
  const plannedMs = Math.ceil((Date.now() + leadMs) / 1000) * 1000;
  await home.devices[0]!.ask({ ask: 'apply', rules: timedRule(`Failover ${n}`, new Date(plannedMs)) });
  await home.ready(n + 1);
  const ids = home.devices.map(({ id }) => id);
  const runnerId = placeFiring(
    timedFiring(`failover-${n}`, 'time', plannedMs),
    ids,
    new Set(ids),
    nodeCrypto,
  );
  const runner = home.devices.find(({ id }) => id === runnerId)!;
  const other = home.devices.find(({ id }) => id !== runnerId)!;
  await other.deeds();
  // Both need the wall clock once, to find the planned time on the monotonic one.
  const plannedAt = (plannedMs - Date.now()) * 1000 + Number(process.hrtime.bigint()) / 1000;
  let killedAt: number;
  if (kind === 'inTheMiddle') {
    await other.ask({ ask: 'deed', value: 1 });
    // In the delay. Before, the next host would first ask the dead one what became of its step, until that step's deadline.
    await new Promise((resolve) => setTimeout(resolve, delayMs / 2));
    killedAt = await runner.kill();
  } else {
    await new Promise((resolve) => setTimeout(resolve, plannedMs - Date.now() - 5));
    killedAt = await runner.kill();
  }
  await other.ask({ ask: 'deed', value: 0 });
  const deeds = await other.deeds();
  const next = deeds.find(({ value }) => value === (kind === 'inTheMiddle' ? 0 : 1))!;
  await runner.start();
  await home.ready(n + 1);
  return (next.at - Math.max(killedAt, kind === 'inTheMiddle' ? 0 : plannedAt)) / 1000;
};

const ruleCount = 100;
const eventsPerSecond = 100;
const loadSeconds = 10;

const benchLoad = async (what: string, kinds: number): Promise<LoadFigures> => {
  const home = await RuleHome.start(['far', 'near'], kinds);
  const [far, near] = [home.devices[0]!, home.devices[1]!];
  try {
    const rules = Array.from(
      { length: ruleCount },
      (_, n) => `
name: Rule ${n}
maxPerMinute: 6000
triggers:
  - event: { thing: near lamp, name: pressed${n % kinds} }
conditions:
  - ${kinds === 1 ? `trigger.event % ${ruleCount} == ${n}` : 'thing("near lamp").plain == 0'}
steps:
  - write: { thing: far lamp, property: ruled, value: { cel: trigger.event } }
`,
    );
    await far.ask({ ask: 'apply', rules: rules.join('---') });
    await home.ready(ruleCount);
    const flood = { ask: 'flood', perSecond: eventsPerSecond, kinds } as const;
    await near.ask<FloodAnswer>({ ...flood, events: eventsPerSecond * 2 });
    await far.deeds();
    const { outcomes, cpu, took } = await near.ask<FloodAnswer>({
      ...flood,
      events: eventsPerSecond * loadSeconds,
    });
    return { what, outcomes, cpuPercent: (cpu / took) * 100, commands: (await far.deeds()).length };
  } finally {
    await home.close();
  }
};
