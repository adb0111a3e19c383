/**
 * Which firings there have to be in a history: computed from what Things said, what was planned, who came and went.
 * Relies on the chronicle. Where a crash, a change of the rule or a cut leaves it open what has to be, nothing is expected.
 */
import { type PeerId, parseThingId } from '../core/ids.ts';
import { allSteps, type PropertyTrigger, type Rule, type Trigger } from '../rules/rule.ts';
import { nextTime } from '../rules/schedule.ts';
import type { Kept, Said, Trouble } from './rule-chronicle.ts';
import type { RuleHistory } from './rule-history.ts';
import { sceneKey } from './rule-home.ts';

/** A peer is ready so long after it, its Things or a rule came; and it has looked at a firing after so long. */
const readyMs = 3000;
const lookedMs = 7000;
/** A firing of which nothing was kept when the power went is gone: its first looks take no longer. */
const unkeptMs = 20_000;
/** A refusal is told once a second, and written two seconds later. */
const toldMs = 1100;
const writtenMs = 4000;
/** So long before a planned time and after it the circumstances must be certain. */
const planned = { beforeMs: 5000, afterMs: 25_000 };
/** A peer that started sees presence after half a minute; what it sees is passed on in a few seconds. */
const settledMs = 35_000;
const seenMs = 12_000;
/** What cannot be observed is read every two seconds. */
const pollMs = 3000;

type Window = readonly [fromMs: number, toMs: number];

/** Questions about a history that all expectations ask. */
class Past {
  readonly history: RuleHistory;
  readonly #lives: Map<PeerId, Trouble[]>;
  readonly #learnt: Map<string, { readonly atMs: number; readonly rule: Rule | undefined }[]>;
  readonly #kept: Map<string, Kept[]>;

  constructor(history: RuleHistory) {
    this.history = history;
    const { troubles, learnt, kept } = history.chronicle;
    const own = troubles.filter(({ other }) => other === undefined);
    this.#lives = Map.groupBy(own, ({ peer }) => peer);
    this.#learnt = Map.groupBy(learnt, ({ peer, key }) => `${peer} ${key}`);
    this.#kept = Map.groupBy(kept.values(), ({ firing }) => firing.split('/').slice(0, 2).join('/'));
  }

  get rules(): Set<string> {
    return new Set(this.history.chronicle.learnt.map(({ key }) => key));
  }

  get peers(): PeerId[] {
    return this.history.lab.peers.map(({ id }) => id);
  }

  /** Whether a peer is up all the time and nothing of it comes or goes. */
  isSteady(peer: PeerId, [fromMs, toMs]: Window): boolean {
    const lives = this.#lives.get(peer) ?? [];
    const before = lives.findLast(({ atMs }) => atMs <= fromMs);
    return before?.isUp === true && !lives.some(({ atMs }) => atMs > fromMs && atMs <= toMs);
  }

  /** Whether a peer is up at some time of these. */
  isThere(peer: PeerId, [fromMs, toMs]: Window): boolean {
    const lives = this.#lives.get(peer) ?? [];
    return (
      lives.findLast(({ atMs }) => atMs <= fromMs)?.isUp === true ||
      lives.some(({ atMs, isUp }) => isUp && atMs > fromMs && atMs <= toMs)
    );
  }

  wentDown(peer: PeerId, [fromMs, toMs]: Window): boolean {
    return (this.#lives.get(peer) ?? []).some(({ atMs, isUp }) => !isUp && atMs >= fromMs && atMs <= toMs);
  }

  /** The rule that a peer knows all the time; undefined where it knows none, or it changes. */
  ruleAt(peer: PeerId, key: string, [fromMs, toMs]: Window): Rule | undefined {
    const versions = this.#learnt.get(`${peer} ${key}`) ?? [];
    if (versions.some(({ atMs }) => atMs > fromMs && atMs <= toMs)) return undefined;
    return versions.findLast(({ atMs }) => atMs <= fromMs)?.rule;
  }

  /** The rule that all peers know all the time which are up at some time of these. */
  ruleOfAll(key: string, window: Window, except?: PeerId): Rule | undefined {
    const there = this.peers.filter((peer) => peer !== except && this.isThere(peer, window));
    const rules = there.map((peer) => this.ruleAt(peer, key, window));
    const [first] = rules;
    const text = JSON.stringify(first);
    return rules.every((rule) => rule && JSON.stringify(rule) === text) ? first : undefined;
  }

  /** Whether anything is known of such a firing. */
  wasKept(start: string, [fromMs, toMs]: Window, fits: (kept: Kept) => boolean): boolean {
    const all = this.#kept.get(start) ?? [];
    return all.some((kept) => kept.firstMs >= fromMs && kept.firstMs <= toMs && fits(kept));
  }

  /** Whether firings of a rule were refused about then; most of those are not told. */
  wasRefused(key: string, [fromMs, toMs]: Window, peer?: PeerId): boolean {
    for (const kind of ['stream', 'time', 'presence', 'manual'])
      for (const { info, peer: at, firstMs } of this.#kept.get(`${kind}/${key}`) ?? [])
        if (info?.outcome === 'refused' && (peer ?? at) === at)
          if (firstMs >= fromMs - toldMs && firstMs <= toMs + writtenMs) return true;
    return false;
  }
}

const idOf = (trigger: Trigger, index: number): string => trigger.id ?? `${index}`;

/** Firings by what Things said. */
export const lostSayings = (history: RuleHistory): string[] => {
  const past = new Past(history);
  return history.chronicle.sayings.flatMap((said, index) => {
    const { peer, atMs } = said;
    if (!past.isSteady(peer, [atMs - readyMs, atMs])) return [];
    return [...past.rules].flatMap((key) => {
      const rule = past.ruleAt(peer, key, [atMs - readyMs, atMs + lookedMs]);
      return (rule?.triggers ?? [])
        .map((trigger, at) => ({ trigger, id: idOf(trigger, at) }))
        .filter(({ trigger, id }) => isLost(past, said, index, { key, trigger, id }))
        .map(({ id }) => `${key}/${id} did not fire for ${said.name}=${said.value} at ${said.position}`);
    });
  });
};

const isLost = (
  past: Past,
  said: Said,
  index: number,
  { key, trigger, id }: { readonly key: string; readonly trigger: Trigger; readonly id: string },
): boolean => {
  const { peer, atMs, position } = said;
  const start = `stream/${key}`;
  const isExcused = (dueMs: number): boolean =>
    past.wentDown(peer, [atMs, dueMs + unkeptMs]) || past.wasRefused(key, [dueMs, dueMs + lookedMs], peer);
  if ('event' in trigger) {
    if (trigger.event.thing !== said.thing || trigger.event.name !== said.name) return false;
    const firing = `${start}/${id}/${position}`;
    return !past.wasKept(start, [atMs, Infinity], (kept) => kept.firing === firing) && !isExcused(atMs);
  }
  if (!('property' in trigger)) return false;
  const { property } = trigger;
  if (property.thing !== said.thing || property.name !== said.name || !crosses(property, said)) return false;
  const isRead = said.name === 'w';
  const { forMs = 0 } = property;
  if (forMs === 0 && !isRead) {
    const firing = `${start}/${id}/${position}`;
    return !past.wasKept(start, [atMs, Infinity], (kept) => kept.firing === firing) && !isExcused(atMs);
  }
  // The fabric's time counts how long something has lasted, and is not right where clocks are not.
  if (past.history.kind === 'astray') return false;
  const slackMs = isRead ? pollMs : 0;
  const untilMs = atMs + forMs + slackMs;
  if (!isAlone(past, said, index, { slackMs, untilMs: untilMs + slackMs })) return false;
  if (!past.isSteady(peer, [atMs - readyMs, untilMs])) return false;
  if (!past.ruleAt(peer, key, [atMs - readyMs, untilMs + lookedMs])) return false;
  const prefix = `${start}/${id}/${said.thing}/`;
  const window = [atMs + forMs, untilMs + lookedMs + writtenMs] as const;
  return !past.wasKept(start, window, (kept) => kept.firing.startsWith(prefix)) && !isExcused(untilMs);
};

/** Whether the Thing said nothing else of this property about then. */
const isAlone = (
  { history }: Past,
  { thing, name, atMs }: Said,
  index: number,
  { slackMs, untilMs }: { readonly slackMs: number; readonly untilMs: number },
): boolean =>
  !history.chronicle.sayings.some(
    (one, at) =>
      at !== index &&
      one.thing === thing &&
      one.name === name &&
      one.atMs >= atMs - slackMs &&
      one.atMs <= untilMs &&
      (one.atMs !== atMs || at > index || slackMs > 0),
  );

/** Whether this is certainly a crossing, whatever was before that which was before. */
const crosses = (
  { changes, becomes, above, below, hysteresis = 0 }: PropertyTrigger,
  { before, value }: Said,
): boolean => {
  if (changes) return value !== before;
  if (above !== undefined)
    return (
      typeof value === 'number' &&
      value > above &&
      (typeof before !== 'number' || before <= above - hysteresis)
    );
  if (below !== undefined)
    return (
      typeof value === 'number' &&
      value < below &&
      (typeof before !== 'number' || before >= below + hysteresis)
    );
  return value === becomes && before !== becomes;
};

/** Firings by the clock. */
export const lostTimes = (history: RuleHistory): string[] => {
  // Where clocks disagree the first in line may be gone before what is its own time: then nobody is to blame.
  if (history.kind === 'astray') return [];
  const past = new Past(history);
  const [first] = history.chronicle.learnt;
  return [...past.rules].flatMap((key) => {
    const versions = history.chronicle.learnt.filter((learnt) => learnt.key === key && learnt.rule);
    const triggers = new Map(
      versions.flatMap(({ rule }) =>
        rule!.triggers.map(
          (trigger, index) => [JSON.stringify([trigger, idOf(trigger, index)]), trigger] as const,
        ),
      ),
    );
    return [...triggers].flatMap(([text, trigger]) => {
      if (!('time' in trigger)) return [];
      const id = (JSON.parse(text) as [unknown, string])[1];
      const lost: string[] = [];
      const place = { zone: 'UTC', latitude: 0, longitude: 0 };
      const endMs = history.endedMs - planned.afterMs;
      for (let atMs = nextTime(trigger.time, first!.atMs, place); atMs && atMs < endMs; ) {
        if (isTimeLost(past, { key, id, trigger, atMs }))
          lost.push(`${key}/${id} did not fire at ${new Date(atMs).toISOString()}`);
        atMs = nextTime(trigger.time, atMs, place);
      }
      return lost;
    });
  });
};

const isTimeLost = (
  past: Past,
  {
    key,
    id,
    trigger,
    atMs,
  }: { readonly key: string; readonly id: string; readonly trigger: Trigger; readonly atMs: number },
): boolean => {
  const window = [atMs - planned.beforeMs, atMs + planned.afterMs] as const;
  const rule = past.ruleOfAll(key, window);
  if (
    !rule?.triggers.some(
      (one, index) => idOf(one, index) === id && JSON.stringify(one) === JSON.stringify(trigger),
    )
  )
    return false;
  if (![...hostsOf(past, rule)].some((peer) => past.isSteady(peer, window))) return false;
  const firing = `time/${key}/${id}/${atMs}`;
  return (
    !past.wasKept(`time/${key}`, [atMs, Infinity], (kept) => kept.firing === firing) &&
    !past.wasRefused(key, [atMs, atMs + lookedMs])
  );
};

/** The peers whose Things a rule's steps may command. */
const hostsOf = ({ history, peers }: Past, rule: Rule): Set<PeerId> => {
  const hosts = new Set<PeerId>();
  const { lab } = history;
  for (const step of allSteps(rule.steps)) {
    const target = 'write' in step ? step.write : 'invoke' in step ? step.invoke : undefined;
    const things =
      'scene' in step
        ? (lab.peers[0]!.book.scene(sceneKey)?.scene.values ?? []).map(({ thing }) => thing)
        : [];
    if (target?.thing) things.push(target.thing);
    for (const thing of things) hosts.add(parseThingId(thing)!.peer);
    // Every peer has a lamp, and selections are of lamps.
    if (target && !target.thing) for (const peer of peers) hosts.add(peer);
  }
  return hosts;
};

/** Firings by who comes and goes. */
export const lostPresence = (history: RuleHistory): string[] => {
  if (history.kind === 'astray') return [];
  const past = new Past(history);
  const { troubles } = history.chronicle;
  return troubles.flatMap((trouble, index) => {
    const { peer, other, isUp, atMs } = trouble;
    if (other !== undefined || atMs > history.endedMs) return [];
    const wasUp = troubles
      .slice(0, index)
      .findLast((one) => one.peer === peer && one.other === undefined)?.isUp;
    if (wasUp === undefined || wasUp === isUp || !isCalm(past, trouble, index)) return [];
    const goes = isUp ? 'online' : 'offline';
    return [...past.rules].flatMap((key) => presenceLost(past, trouble, index, { key, goes }));
  });
};

const presenceLost = (
  past: Past,
  { peer, atMs }: Trouble,
  index: number,
  { key, goes }: { readonly key: string; readonly goes: string },
): string[] => {
  const near = past.ruleOfAll(key, [atMs - planned.beforeMs, atMs + seenMs], peer);
  return (near?.triggers ?? []).flatMap((trigger, at) => {
    const coming = 'peer' in trigger ? trigger.peer : 'thing' in trigger ? trigger.thing : undefined;
    if (!coming || coming.goes !== goes) return [];
    const who = 'peer' in trigger ? coming.name : parseThingId(coming.name)!.peer;
    const untilMs = atMs + (coming.forMs ?? 0) + seenMs;
    if (who !== peer || !staysCalm(past, peer, index, { goes, untilMs })) return [];
    if (!past.ruleOfAll(key, [atMs - planned.beforeMs, untilMs], peer)) return [];
    const prefix = `presence/${key}/${idOf(trigger, at)}/${coming.name}/`;
    const isThere = past.wasKept(
      `presence/${key}`,
      [atMs, untilMs],
      ({ firing }) => firing.startsWith(prefix) && firing.endsWith(`/${goes}`),
    );
    if (isThere || past.wasRefused(key, [atMs, untilMs])) return [];
    return [
      `${key} did not fire for ${coming.name.slice(-12)} going ${goes} at ${new Date(atMs).toISOString()}`,
    ];
  });
};

/** Whether nothing had happened for so long that all others had seen who is there, and each other. */
const isCalm = (
  { history, peers }: Past,
  { peer, atMs, isUp, areOthersMet, isSeen }: Trouble,
  index: number,
): boolean => {
  const { troubles } = history.chronicle;
  const before = troubles.slice(0, index).findLast((one) => one.atMs < atMs);
  const isFirst = troubles.slice(0, index).every((one) => one.atMs < atMs);
  return (
    isFirst &&
    (before?.atMs ?? 0) < atMs - settledMs &&
    areOthersMet &&
    isSeen === !isUp &&
    peers.some((one) => one !== peer)
  );
};

/** Whether afterwards nothing happens but what follows from the one that came or went, and all others see that. */
const staysCalm = (
  past: Past,
  peer: PeerId,
  index: number,
  { goes, untilMs }: { readonly goes: string; readonly untilMs: number },
): boolean => {
  const { history } = past;
  const after = history.chronicle.troubles.slice(index + 1).filter(({ atMs }) => atMs <= untilMs);
  const about = after.filter((one) => one.peer === peer || one.other === peer);
  if (about.length < after.length) return false;
  const lives = about.filter((one) => one.peer === peer && one.other === undefined);
  if (lives.some(({ isUp }) => isUp !== (goes === 'online'))) return false;
  const meetings = new Map<PeerId, number>();
  for (const one of about) if (one.other === peer) meetings.set(one.peer, (meetings.get(one.peer) ?? 0) + 1);
  const others = history.lab.peers.filter(({ id }) => id !== peer);
  const { atMs } = history.chronicle.troubles[index]!;
  return others.every(({ id }) => !past.isThere(id, [atMs, untilMs]) || meetings.get(id) === 1);
};
