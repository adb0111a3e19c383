/**
 * Plays a rule through without doing anything: by the values as they are now, with commands that are only imagined.
 * Relies on the same machine, the same expressions and the same selections as a run; time is jumped over.
 *
 * What it would have written counts from then on, so that a loop that waits for its own doing ends. What it would wait
 * for is taken to happen. A device that is away now fails its commands, as it would.
 */
import { AlthingError, type ErrorCode } from '../../core/errors.ts';
import type { DryRunInfo, DryStep } from '../../core/rule-shapes.ts';
import type { Replica } from '../../replica/replica.ts';
import { allHold } from '../../rules/all-hold.ts';
import { formatDuration } from '../../rules/duration.ts';
import type { TriggerData } from '../../rules/expression.ts';
import { manualFiring } from '../../rules/placement.ts';
import { type Rule, type Trigger, unresolvedName } from '../../rules/rule.ts';
import { advanceRun, startRun } from '../../rules/run.ts';
import type { Command, RunEffect, RunEvent, RunStart } from '../../rules/run-state.ts';
import type { ThingConnector } from '../../thing/operations.ts';
import type { Cause } from '../../thing/scripting-api.ts';
import { conditionInfo, endInfo, triggerInfo } from './execution-info.ts';
import { evaluate, evaluateAll } from './facts.ts';
import { triggerId } from './firing.ts';
import { RuleBook } from './rule-book.ts';
import type { RuleWorld } from './rule-world.ts';
import type { RunAnswer } from './run-effects.ts';
import { carryOut, resultOf } from './run-effects.ts';

/** What is played, and on what. */
export interface DryRunOf {
  readonly key: string;
  readonly rule: Rule;
  readonly replica: Replica;
  /** Of who asks: a dry run reads what that one may read, and not what the rule may. */
  readonly cause: Cause;
}

const readTimeoutMs = 2000;
/** Lines of one dry run; a rule that does more is told so far. */
const maxSteps = 300;

/** Throws `bad-input` for a trigger that the rule has not, and for one whose value is not known. */
export const dryRun = async (
  world: RuleWorld,
  { key, rule, replica, cause }: DryRunOf,
  options: { readonly trigger?: string; readonly event?: unknown } = {},
): Promise<DryRunInfo> => {
  const imagined = new Imagination(world, replica, cause);
  const trigger = await imagined.triggerOf(rule, options);
  const asked = { trigger, cause, ...(rule.staleMs !== undefined && { staleMs: rule.staleMs }) };
  const seen = await evaluateAll(imagined.world, rule.conditions, asked);
  const holds = allHold(seen.map(({ evaluation }) => evaluation));
  const base = {
    rule: key,
    trigger: triggerInfo(trigger),
    conditions: seen.map((one) => conditionInfo(world, one)),
  };
  if (holds !== true) {
    const message =
      holds === false ? 'A condition is false.' : 'It is not known whether the conditions hold.';
    return { ...base, runs: false, steps: [], outcome: 'not-run', message };
  }
  const start: RunStart = {
    rule: key,
    firing: manualFiring(key, 'dry-run'),
    mode: rule.mode,
    clock: 0,
    trigger,
    steps: rule.steps,
  };
  return { ...base, runs: true, ...(await imagined.play(start, asked)) };
};

/** A world in which nothing is done, and what would have been done is so. */
class Imagination {
  readonly world: RuleWorld;
  readonly #real: RuleWorld;
  readonly #cause: Cause;
  /** What was read, and what would have been written since, by Thing and property. */
  readonly #values = new Map<string, Promise<unknown>>();
  readonly #named = new Map<string, unknown>();
  readonly #steps: DryStep[] = [];
  #nowMs: number;

  constructor(real: RuleWorld, replica: Replica, cause: Cause) {
    this.#real = real;
    this.#cause = cause;
    this.#nowMs = real.now();
    this.world = {
      ...real,
      now: () => this.#nowMs,
      book: new ImaginedBook(replica, this.#named),
      connector: this.#connector(),
    };
  }

  /** The data of the trigger that is to have fired: as given, else as the rule wants it, else as it is now. */
  async triggerOf(
    { triggers }: Rule,
    options: { readonly trigger?: string; readonly event?: unknown },
  ): Promise<TriggerData> {
    const wanted = options.trigger;
    const index = triggers.findIndex((one, at) => wanted === undefined || triggerId(one, at) === wanted);
    const ids = triggers.map(triggerId).join(', ');
    if (index === -1)
      throw new AlthingError('bad-input', `The rule has no trigger "${wanted}": it has ${ids}.`);
    const trigger = triggers[index]!;
    const id = triggerId(trigger, index);
    if ('property' in trigger) return this.#propertyTrigger(trigger, id, options);
    const event = 'event' in options ? { event: options.event } : {};
    if ('event' in trigger)
      return { kind: 'event', id, thing: trigger.event.thing, name: trigger.event.name, ...event };
    if ('peer' in trigger) return { kind: 'peer', id, peer: trigger.peer.name, goes: trigger.peer.goes };
    if ('thing' in trigger) return { kind: 'thing', id, thing: trigger.thing.name, goes: trigger.thing.goes };
    return { kind: 'time' in trigger ? 'time' : 'manual', id, ...event };
  }

  async #propertyTrigger(
    { property }: Extract<Trigger, { readonly property: unknown }>,
    id: string,
    options: { readonly event?: unknown },
  ): Promise<TriggerData> {
    const { thing, name } = property;
    let previous: unknown;
    try {
      previous = await this.#read(thing, name);
    } catch (error) {
      this.#real.logger.debug({ err: error, thing }, 'A dry run could not read the value of its trigger.');
    }
    const value =
      'event' in options ? options.event : Object.hasOwn(property, 'becomes') ? property.becomes : previous;
    if (value === undefined)
      throw new AlthingError(
        'bad-input',
        `The ${name} of ${this.#nameOf(thing)} is not known now: say the value that the rule is to see (--with).`,
      );
    return { kind: 'property', id, thing, name, value, ...(previous !== undefined && { previous }) };
  }

  /** Plays the steps to their end. */
  async play(
    start: RunStart,
    asked: Parameters<typeof evaluate>[2],
  ): Promise<Pick<DryRunInfo, 'steps' | 'outcome' | 'message'>> {
    let { state, effects } = startRun(start, this.#nowMs);
    const pending: RunEffect[] = [];
    let timerMs: number | undefined;
    for (;;) {
      timerMs = undefined;
      for (const effect of effects) {
        if (effect.type === 'timer') timerMs = effect.atMs;
        else pending.push(effect);
      }
      if (state.end) break;
      if (this.#steps.length >= maxSteps) {
        const message = `It would go on; these are its first ${maxSteps} steps.`;
        return { steps: this.#steps, outcome: 'running', message };
      }
      const effect = pending.shift();
      let answer: RunAnswer | undefined;
      if (effect) answer = await this.#imagine(effect, start, asked);
      else if (timerMs !== undefined) {
        this.#say('', `wait ${formatDuration(Math.max(0, timerMs - this.#nowMs))}`);
        this.#nowMs = Math.max(this.#nowMs, timerMs);
        answer = { type: 'time' };
      } else break;
      ({ state, effects } = advanceRun(state, { ...answer, nowMs: this.#nowMs } as RunEvent));
    }
    if (!state.end) throw new Error('a dry run waits for nothing');
    return { steps: this.#steps, ...endInfo(state.end) };
  }

  async #imagine(
    effect: RunEffect,
    start: RunStart,
    asked: Parameters<typeof evaluate>[2],
  ): Promise<RunAnswer> {
    switch (effect.type) {
      case 'evaluate': {
        const { path, cel } = effect;
        const { evaluation } = await evaluate(this.world, cel, asked);
        const result = resultOf(this.world, evaluation);
        const said = 'value' in result ? JSON.stringify(result.value) : 'not known';
        const branch = /\/([cr])[^/]*$/.exec(path)?.[1];
        if (branch !== undefined) this.#say(path, `${branch === 'c' ? 'if' : 'while'} ${cel}: ${said}`);
        return { type: 'evaluated', path, result };
      }
      case 'command':
        return { type: 'outcome', path: effect.path, outcome: this.#command(effect.path, effect.command) };
      case 'set':
        this.#named.set(effect.name, effect.value);
        this.#say(effect.path, `set the value "${effect.name}" to ${JSON.stringify(effect.value)}`);
        return { type: 'outcome', path: effect.path, outcome: { kind: 'done' } };
      case 'watch': {
        const { path, wait } = effect;
        if ('event' in wait) {
          this.#say(
            path,
            `wait for "${wait.event.name}" of ${this.#nameOf(wait.event.thing)}, which is taken to come`,
          );
          return { type: 'occurred', path };
        }
        const { evaluation } = await evaluate(this.world, wait.until, asked);
        const isSo = evaluation.kind === 'value' && evaluation.value === true;
        this.#say(path, `wait until ${wait.until}, which is ${isSo ? 'so now' : 'taken to come'}`);
        return { type: 'evaluated', path, result: { value: true } };
      }
      case 'select': {
        const run = {
          ...({
            version: 1,
            name: '',
            chain: [],
            conditions: [],
            atMs: this.#nowMs,
            isPlaced: false,
          } as const),
          start,
        };
        return carryOut(this.world, run, effect);
      }
      case 'ask':
        // Its command failed for sure, which nobody asks about.
        return { type: 'answered', path: effect.path, answer: 'unknown' };
      default:
        return { type: 'time' };
    }
  }

  #command(
    path: string,
    { thing, op, name, ...given }: Command,
  ): Extract<RunAnswer, { type: 'outcome' }>['outcome'] {
    const input = 'input' in given ? JSON.stringify(given.input) : undefined;
    const what =
      op === 'writeproperty'
        ? `write ${name} = ${input} to ${this.#nameOf(thing)}`
        : `invoke ${name}${input === undefined ? '' : ` with ${input}`} on ${this.#nameOf(thing)}`;
    const code = this.#failureOf(thing);
    this.#say(path, code === undefined ? what : `${what}, which would fail (${code})`);
    if (code !== undefined) return { kind: 'failed', code };
    if (op === 'writeproperty') this.#values.set(valueKey(thing, name), Promise.resolve(given.input));
    return { kind: 'done' };
  }

  #failureOf(thing: string): ErrorCode | undefined {
    const { things, presence, self } = this.#real;
    if (unresolvedName(thing) !== undefined || !things.td(thing)) return 'thing-unknown';
    const peer = things.speakerOf(thing);
    if (peer === self) return things.isHere(thing) ? undefined : 'thing-unknown';
    return peer !== undefined && presence.isOnline(peer) === false ? 'peer-offline' : undefined;
  }

  #connector(): ThingConnector {
    return {
      request: ({ thing, name = '' }) => this.#read(thing, name),
      stream: () => Promise.reject(new AlthingError('operation-unsupported', 'A dry run follows nothing.')),
    };
  }

  /** Each value is read once; what was imagined since is what it is. */
  #read(thing: string, name: string): Promise<unknown> {
    const key = valueKey(thing, name);
    let value = this.#values.get(key);
    if (!value) {
      const call = { thing, op: 'readproperty', name } as const;
      value = this.#real.connector.request(call, { timeoutMs: readTimeoutMs, cause: this.#cause });
      this.#values.set(key, value);
    }
    return value;
  }

  #nameOf(id: string): string {
    return unresolvedName(id) ?? this.#real.things.nameOf(id);
  }

  #say(path: string, text: string): void {
    this.#steps.push({
      path,
      text: text.replace(/urn:althing:\w+:[a-z0-9-]+|z6Mk\w{40,50}/g, (id) => this.#nameOf(id)),
    });
  }
}

const valueKey = (thing: string, name: string): string => `${thing} ${name}`;

/** The fabric's book with values that were not set. */
class ImaginedBook extends RuleBook {
  readonly #named: ReadonlyMap<string, unknown>;

  constructor(replica: Replica, named: ReadonlyMap<string, unknown>) {
    super(replica);
    this.#named = named;
  }

  override value(name: string): unknown {
    return this.#named.has(name) ? this.#named.get(name) : super.value(name);
  }
}
