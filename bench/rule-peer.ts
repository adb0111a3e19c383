/**
 * A device of the rules bench: a peer that exposes a lamp with a button, and says when it obeyed.
 * Relies on `createPeer` as programs that embed Althing use it, and on the machine's monotonic clock, which its processes
 * share; on loopback, without discovery.
 */
import type { PeerId } from '../src/core/ids.ts';
import { createPeer } from '../src/peer/create-peer.ts';
import { waitFor } from '../src/testing/wait-for.ts';
import { cpuMicroseconds } from './command-messages.ts';

/** What a device is asked. */
export type RulePeerRequest =
  | { readonly ask: 'invite' | 'deeds' }
  /** Resolves once this peer knows so many Things and rules, and has a session with each other member. */
  | { readonly ask: 'ready'; readonly things: number; readonly rules: number }
  | { readonly ask: 'apply'; readonly rules: string }
  | { readonly ask: 'place'; readonly zone: string }
  /** Resolves once its lamp has been commanded this value, and says so again. */
  | { readonly ask: 'deed'; readonly value: number }
  /** In turns: presses its button and waits until what that fired is over; writes `plain` of the other lamp itself. */
  | { readonly ask: 'turns'; readonly turns: number; readonly lamp: string; readonly pauseMs: number }
  /** Emits its events, round robin, as many a second as asked for. */
  | { readonly ask: 'flood'; readonly events: number; readonly perSecond: number; readonly kinds: number };

/** Something that its lamp did. */
export interface RuleDeed {
  readonly property: string;
  readonly value: unknown;
  /** Microseconds of the monotonic clock. */
  readonly at: number;
}

/** The turns of one device, microseconds of the monotonic clock. */
export interface TurnsAnswer {
  readonly pressed: number[];
  readonly ended: number[];
  /** Times of the bare commands, from asking to the answer. */
  readonly plain: number[];
}

/** What a flood led to. */
export interface FloodAnswer {
  /** How firings ended, and how many were refused, as they were told. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly cpu: number;
  readonly took: number;
}

/** What a device says first. */
export interface RulePeerReady {
  readonly id: PeerId;
  readonly thing: string;
}

const now = (): number => Number(process.hrtime.bigint()) / 1000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const [home = '', name = '', ticket = '', kinds = '1'] = process.argv.slice(2);
const peer = await createPeer({ home, name, listen: '127.0.0.1:0', mdns: false });
if (ticket !== '') await peer.join(ticket);
const deeds: RuleDeed[] = [];
const events = Array.from({ length: Number(kinds) }, (_, n) => `pressed${n}`);
const thing = await peer.wot.produce({
  title: `${name} lamp`,
  properties: { ruled: { type: 'integer' }, plain: { type: 'integer' } },
  events: Object.fromEntries(events.map((event) => [event, { data: { type: 'integer' } }])),
});
for (const property of ['ruled', 'plain']) {
  let value = 0;
  thing.setPropertyReadHandler(property, () => value);
  thing.setPropertyWriteHandler(property, async (input) => {
    const at = now();
    value = (await input.value()) as number;
    deeds.push({ property, value, at });
  });
}
await thing.expose();

const isReady = async ({ things, rules }: { things: number; rules: number }): Promise<boolean> =>
  peer.things().filter(({ title }) => title.endsWith(' lamp')).length === things &&
  (await peer.rules.list()).length === rules &&
  peer.peers().every(({ state }) => state !== 'offline');

/** Resolves with the time at which the next firing is over. */
const nextEnd = (): Promise<number> =>
  new Promise((resolve) => {
    const stop = peer.onActivity(({ kind }) => {
      if (kind !== 'rule-ended' && kind !== 'rule-refused') return;
      stop();
      resolve(now());
    });
  });

const turns = async (count: number, lampName: string, pauseMs: number): Promise<TurnsAnswer> => {
  const lamp = await peer.wot.consume(lampName);
  const answer: TurnsAnswer = { pressed: [], ended: [], plain: [] };
  for (let turn = 1; turn <= count; turn++) {
    await pause(pauseMs);
    const over = nextEnd();
    answer.pressed.push(now());
    await thing.emitEvent('pressed0', turn);
    answer.ended.push(await over);
    await pause(pauseMs);
    const begun = now();
    await lamp.writeProperty('plain', turn);
    answer.plain.push(now() - begun);
  }
  return answer;
};

const flood = async (count: number, perSecond: number, among: number): Promise<FloodAnswer> => {
  const outcomes: Record<string, number> = {};
  const stop = peer.onActivity(({ kind, outcome }) => {
    const how = kind === 'rule-ended' ? (outcome ?? '') : kind === 'rule-refused' ? 'refused' : undefined;
    if (how !== undefined) outcomes[how] = (outcomes[how] ?? 0) + 1;
  });
  const cpuBefore = cpuMicroseconds();
  const begun = now();
  for (let n = 0; n < count; n++) {
    const aheadMs = (n / perSecond) * 1000 - (now() - begun) / 1000;
    if (aheadMs > 0) await pause(aheadMs);
    await thing.emitEvent(`pressed${n % among}`, n);
  }
  await pause(1000);
  stop();
  return { outcomes, cpu: cpuMicroseconds() - cpuBefore, took: now() - begun };
};

const answerTo = async (request: RulePeerRequest): Promise<unknown> => {
  switch (request.ask) {
    case 'invite':
      return (await peer.invite({ role: 'member', uses: 1 })).ticket;
    case 'ready':
      return waitFor(() => isReady(request), { what: `${name} to be ready`, timeoutMs: 60_000 });
    case 'apply':
      return (await peer.rules.apply(request.rules)).length;
    case 'turns':
      return turns(request.turns, request.lamp, request.pauseMs);
    case 'flood':
      return flood(request.events, request.perSecond, request.kinds);
    case 'deeds':
      return deeds.splice(0);
    case 'place':
      return peer.rules.setPlace({ zone: request.zone });
    case 'deed':
      return waitFor(() => deeds.some(({ value }) => value === request.value), {
        what: `a command of ${request.value}`,
        timeoutMs: 30_000,
      });
  }
};

process.on('message', async (request: RulePeerRequest) => {
  process.send!((await answerTo(request)) as object);
});
process.send!({ id: peer.id, thing: thing.id } satisfies RulePeerReady);
