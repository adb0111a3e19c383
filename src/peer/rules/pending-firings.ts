/**
 * Firings that every peer sees and one runs: the first in line at once, the others only where that one goes meanwhile.
 * Relies on the world for who is live; nobody is asked.
 */
import type { PeerId } from '../../core/ids.ts';
import type { Step } from '../../rules/rule.ts';
import type { Firing } from './firing.ts';
import { inBackground } from './in-background.ts';
import type { RuleWorld } from './rule-world.ts';
import { isFirst, placementKey } from './targets.ts';
import type { Fire } from './trigger-watch.ts';

const pendingMs = 10_000;
const maxPending = 256;

interface Pending {
  readonly firing: Firing;
  readonly steps: readonly Step[];
  /** The peer that the firing is about, which does not see it itself. */
  readonly not: PeerId | undefined;
  readonly untilMs: number;
}

/** What this peer may still have to run. */
export class PendingFirings {
  readonly #world: RuleWorld;
  readonly #fire: Fire;
  readonly #isKnown: (key: string) => boolean;
  readonly #pending = new Map<string, Pending>();

  /** @param isKnown whether another peer that ran it handed it over, or said that it is over */
  constructor(world: RuleWorld, fire: Fire, isKnown: (key: string) => boolean) {
    this.#world = world;
    this.#fire = fire;
    this.#isKnown = isKnown;
  }

  /** A placed firing was seen here. */
  offer(firing: Firing, { steps, not }: { readonly steps: readonly Step[]; readonly not?: PeerId }): void {
    const key = placementKey(firing.firing);
    if (isFirst(this.#world, key, steps, not)) {
      this.#begin(firing);
      return;
    }
    this.#pending.delete(key);
    if (this.#pending.size >= maxPending) this.#pending.delete(this.#pending.keys().next().value!);
    this.#pending.set(key, { firing, steps, not, untilMs: this.#world.now() + pendingMs });
  }

  /** A peer has come or gone. */
  presenceChanged(): void {
    for (const [key, { firing, steps, not, untilMs }] of this.#pending) {
      if (this.#world.now() > untilMs || this.#isKnown(key)) {
        this.#pending.delete(key);
        continue;
      }
      if (!isFirst(this.#world, key, steps, not)) continue;
      this.#pending.delete(key);
      this.#begin(firing);
    }
  }

  #begin(firing: Firing): void {
    inBackground(this.#fire(firing), this.#world, 'A firing could not be executed.');
  }
}
