/**
 * What happened in several histories of rules, counted: firings, steps, crashes, runs that others took over.
 * Relies on the chronicle; says what did not happen at all, since a promise that was never tried is not kept.
 */
import type { HistoryKind, RuleHistory } from './rule-history.ts';

const always = ['firings', 'steps', 'stream firings', 'time firings', 'manual firings', 'done', 'refused'];
const broken = [
  'presence firings',
  'failed',
  'unknown steps',
  'crashes',
  'cuts',
  'broken sessions',
  'resumed runs',
];

/** What must have happened in all histories of a kind together; what is rare, in the many of the long form. */
const needed: Readonly<
  Record<HistoryKind, { readonly few: readonly string[]; readonly many: readonly string[] }>
> = {
  quiet: { few: ['firings', 'steps', 'done', 'changes'], many: [...always, 'changes', 'cancelled'] },
  stormy: {
    few: ['firings', 'steps', 'time firings', 'done', 'crashes', 'cuts', 'resumed runs'],
    many: [
      ...[
        ...always,
        ...broken,
        'takeovers',
        'cancelled',
        'lost',
        'superseded',
        'late devices',
        'one-way cuts',
      ],
      ...['crashes at commit', 'crashes at sync', 'crashes at begin', 'crashes at done'],
    ],
  },
  astray: {
    few: ['firings', 'steps', 'clocks set'],
    many: [...always, ...broken, 'takeovers', 'clocks set'],
  },
};

/** Counts over histories. */
export class RuleTally {
  readonly #counts = new Map<string, number>();

  add({ chronicle, counts, lab }: RuleHistory): void {
    const { acts, kept, resumed } = chronicle;
    this.#count('histories');
    const firings = Map.groupBy(kept.values(), ({ firing }) => firing);
    this.#count('firings', firings.size);
    for (const firing of firings.keys()) this.#count(`${firing.split('/')[0]} firings`);
    this.#count('firings at several peers', [...firings.values()].filter(({ length }) => length > 1).length);
    this.#count('steps', acts.filter(({ step }) => step).length);
    for (const { info } of kept.values()) {
      this.#count(info?.outcome ?? 'waiting');
      this.#count('unknown steps', info?.steps.filter(({ what }) => what === 'unknown').length);
    }
    const told = lab.peers.flatMap((peer) => peer.told);
    this.#count('takeovers', told.filter(({ message }) => message?.startsWith('taken over from')).length);
    this.#count('resumed runs', resumed);
    this.#count('crashes', counts.crashes);
    for (const [point, times] of counts.points) this.#count(`crashes at ${point}`, times);
    this.#count('cuts', counts.cuts);
    this.#count('one-way cuts', counts.oneWayCuts);
    this.#count('broken sessions', counts.breaks);
    this.#count('changes', counts.changes);
    this.#count('clocks set', counts.clocks);
    this.#count('late devices', counts.late);
    this.#count('broken devices', counts.failed);
  }

  get text(): string {
    return [...this.#counts].map(([what, times]) => `${what} ${times}`).join(', ');
  }

  /** What should have happened and did not. */
  missing(kind: HistoryKind, { isLong }: { readonly isLong: boolean }): string[] {
    return needed[kind][isLong ? 'many' : 'few'].filter((what) => (this.#counts.get(what) ?? 0) === 0);
  }

  #count(what: string, times = 1): void {
    if (times > 0) this.#counts.set(what, (this.#counts.get(what) ?? 0) + times);
  }
}
