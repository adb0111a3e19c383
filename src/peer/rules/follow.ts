/**
 * Follows one property or event of a Thing, here or elsewhere, for as long as it is wanted: what it is now, then each
 * change. Relies on the connector's streams; a property that cannot be observed is read every two seconds.
 */
import { toHex } from '../../core/bytes.ts';
import { toAlthingError } from '../../core/errors.ts';
import type { StreamHandle, StreamPosition, StreamSink } from '../../thing/operations.ts';
import type { Cause } from '../../thing/scripting-api.ts';
import type { PropertyAffordance } from '../../thing/thing-description.ts';
import { inBackground } from './in-background.ts';
import type { RuleWorld } from './rule-world.ts';

/** What is followed. */
export interface Followed {
  readonly thing: string;
  readonly kind: 'property' | 'event';
  readonly name: string;
  /** Names the rule, by which the device lets it read; a Thing here is read without. */
  readonly cause?: Cause;
}

const pollMs = 2000;
const readTimeoutMs = 2000;
const firstRetryMs = 500;
const maxRetryMs = 30_000;
/** Emissions that wait for the first reading; beyond that the oldest go. */
const maxWaiting = 256;

/**
 * Calls back with each value, in order, until the returned function is called. A reading has a position of its own
 * making: a run that no publisher has, and a count.
 */
export const follow = (
  world: RuleWorld,
  followed: Followed,
  next: (value: unknown, position: StreamPosition) => void,
): (() => void) => {
  const follower = new Follower(world, followed, next);
  follower.begin();
  return () => follower.stop();
};

class Follower {
  readonly #world: RuleWorld;
  readonly #followed: Followed;
  readonly #next: (value: unknown, position: StreamPosition) => void;
  readonly #run: string;
  readonly #cause: Cause;
  #seq = 0;
  /** Emissions passed on so far. */
  #passed = 0;
  #handle: StreamHandle | undefined;
  #cancelTimer: (() => void) | undefined;
  #retryMs = firstRetryMs;
  #stopped = false;
  /** Which opening counts: what an earlier one still says does not. */
  #opening = 0;

  constructor(
    world: RuleWorld,
    followed: Followed,
    next: (value: unknown, position: StreamPosition) => void,
  ) {
    this.#world = world;
    this.#followed = followed;
    this.#next = next;
    this.#run = `read-${toHex(world.crypto.randomBytes(6))}`;
    this.#cause = followed.cause ?? { id: this.#run, origin: 'rule', peer: world.self };
  }

  begin(): void {
    const { thing, kind, name } = this.#followed;
    const property = this.#world.things.td(thing)?.properties?.[name] as PropertyAffordance | undefined;
    // Before its description is here nothing is known of it: reading shows whether there is something.
    if (kind === 'property' && property?.observable !== true) this.#goOn(this.#poll());
    else this.#goOn(this.#stream());
  }

  stop(): void {
    this.#stopped = true;
    this.#opening += 1;
    this.#cancelTimer?.();
    this.#handle?.stop();
    this.#handle = undefined;
  }

  #goOn(work: Promise<void>): void {
    inBackground(work, this.#world, 'What a rule does about a value went wrong.');
  }

  async #poll(): Promise<void> {
    try {
      await this.#read();
    } finally {
      this.#later(pollMs);
    }
  }

  /** Reads the property and passes it on; what cannot be read is not there. */
  async #read(): Promise<void> {
    const { thing, name } = this.#followed;
    const opening = this.#opening;
    const passed = this.#passed;
    let value: unknown;
    try {
      const call = { thing, op: 'readproperty', name } as const;
      value = await this.#world.connector.request(call, {
        timeoutMs: readTimeoutMs,
        cause: this.#cause,
      });
    } catch (error) {
      this.#world.logger.debug({ err: error, thing, name }, 'A rule could not read a property.');
      return;
    }
    // What was emitted while it was read is newer.
    if (opening !== this.#opening || passed !== this.#passed) return;
    this.#next(value ?? null, { run: this.#run, seq: ++this.#seq });
  }

  async #stream(): Promise<void> {
    const { thing, kind, name } = this.#followed;
    this.#opening += 1;
    const opening = this.#opening;
    // What is emitted before the first reading is passed on after it.
    let waiting: [unknown, StreamPosition][] | undefined = kind === 'property' ? [] : undefined;
    const sink: StreamSink = {
      next: (value, position) => {
        if (opening !== this.#opening) return;
        if (!waiting) this.#emitted(value, position);
        else if (waiting.push([value, position]) > maxWaiting) waiting.shift();
      },
      error: (error) => {
        if (opening !== this.#opening) return;
        // What was missed is made up for by what there is now.
        if (error.code === 'values-missed') {
          if (kind === 'property') this.#goOn(this.#read());
        } else this.#failed(error);
      },
    };
    try {
      const op = kind === 'property' ? 'observeproperty' : 'subscribeevent';
      const handle = await this.#world.connector.stream({ thing, op, name }, sink, { cause: this.#cause });
      if (opening !== this.#opening) {
        handle.stop();
        return;
      }
      this.#handle = handle;
      this.#retryMs = firstRetryMs;
    } catch (error) {
      if (opening === this.#opening) this.#failed(error);
      return;
    }
    // What the follower makes of a value is no failure of the stream.
    if (kind === 'property') await this.#read();
    const held = waiting ?? [];
    waiting = undefined;
    if (opening === this.#opening) for (const [value, position] of held) this.#emitted(value, position);
  }

  #emitted(value: unknown, position: StreamPosition): void {
    this.#passed += 1;
    this.#next(value, position);
  }

  #failed(error: unknown): void {
    const { thing, name } = this.#followed;
    const { code } = toAlthingError(error);
    this.#world.logger.debug({ thing, name, code }, 'A rule cannot follow an affordance at the moment.');
    this.#opening += 1;
    this.#handle = undefined;
    this.#later(this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, maxRetryMs);
  }

  #later(delayMs: number): void {
    if (this.#stopped) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#world.schedule(delayMs, () => this.begin());
  }
}
