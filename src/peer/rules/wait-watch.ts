/**
 * What a run's `wait` waits for: an event, or an expression that is looked at again whenever what it uses changes.
 * Relies on streams of what can be observed; where time is used, or a property cannot be observed, it looks every second.
 */

import { compiled } from './expressions.ts';
import { type Evaluated, evaluate, type FactsFor } from './facts.ts';
import type { Followed } from './follow.ts';
import { follow } from './follow.ts';
import { inBackground } from './in-background.ts';
import type { RuleWorld } from './rule-world.ts';

const lookMs = 1000;
const lookFailed = 'What a rule waits for could not be looked at.';

/** Calls back when the event comes, until the returned function is called. */
export const awaitEvent = (
  world: RuleWorld,
  event: { readonly thing: string; readonly name: string },
  asked: FactsFor,
  occurred: () => void,
): (() => void) => follow(world, { ...event, kind: 'event', cause: asked.cause }, occurred);

/** Calls back with what the expression is now and after each change, until the returned function is called. */
export const watchExpression = (
  world: RuleWorld,
  text: string,
  asked: FactsFor,
  seen: (evaluated: Evaluated) => void,
): (() => void) => {
  const watch = new ExpressionWatch(world, text, asked, seen);
  inBackground(watch.begin(), world, lookFailed);
  return () => watch.stop();
};

class ExpressionWatch {
  readonly #world: RuleWorld;
  readonly #text: string;
  readonly #asked: FactsFor;
  readonly #seen: (evaluated: Evaluated) => void;
  readonly #stops: (() => void)[] = [];
  #looking = false;
  #again = false;
  #stopped = false;

  constructor(world: RuleWorld, text: string, asked: FactsFor, seen: (evaluated: Evaluated) => void) {
    this.#world = world;
    this.#text = text;
    this.#asked = asked;
    this.#seen = seen;
  }

  async begin(): Promise<void> {
    this.#lookNow();
    const { uses, usesTime } = await this.#needs();
    if (this.#stopped) return;
    const look = (): void => this.#lookNow();
    let looksByItself = usesTime;
    for (const use of uses) {
      if (use.kind === 'online') looksByItself = true;
      else if (use.kind === 'value')
        this.#stops.push(this.#world.book.listen((changes) => changes.has('values') && look()));
      else if (this.#world.things.td(use.thing)?.properties?.[use.property]?.observable === true) {
        const followed: Followed = {
          thing: use.thing,
          kind: 'property',
          name: use.property,
          cause: this.#asked.cause,
        };
        this.#stops.push(follow(this.#world, followed, look));
      } else looksByItself = true;
    }
    if (looksByItself) this.#lookLater();
  }

  stop(): void {
    this.#stopped = true;
    for (const stop of this.#stops) stop();
  }

  async #needs() {
    try {
      const { expression, usesTime } = await compiled(this.#text);
      return { uses: expression.uses, usesTime };
    } catch {
      // Looking at it says what is wrong, and nothing that changes can mend it.
      return { uses: [], usesTime: false };
    }
  }

  #lookLater(): void {
    let cancel = (): void => {};
    const next = (): void => {
      cancel = this.#world.schedule(lookMs, () => {
        this.#lookNow();
        next();
      });
    };
    next();
    this.#stops.push(() => cancel());
  }

  #lookNow(): void {
    inBackground(this.#look(), this.#world, lookFailed);
  }

  /** One look at a time; what changes meanwhile is looked at afterwards. */
  async #look(): Promise<void> {
    if (this.#stopped) return;
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    try {
      do {
        this.#again = false;
        const evaluated = await evaluate(this.#world, this.#text, this.#asked);
        if (!this.#stopped) this.#seen(evaluated);
      } while (this.#again && !this.#stopped);
    } finally {
      this.#looking = false;
    }
  }
}
