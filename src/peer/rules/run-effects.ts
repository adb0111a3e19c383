/**
 * Carries out what a run asks for and says how it went: expressions, selections, commands, questions, named values.
 * Relies on the world for all of it; whatever fails is an answer, since a run has to hear of everything.
 */
import { toAlthingError } from '../../core/errors.ts';
import type { PeerId } from '../../core/ids.ts';
import type { Evaluation } from '../../rules/expression.ts';
import type { Command, RunEffect, RunEvent, SelectRequest } from '../../rules/run-state.ts';
import type { Cause, RuleStep } from '../../thing/scripting-api.ts';
import { evaluate, type FactsFor, nameOfUse } from './facts.ts';
import { causeOfFiring } from './firing.ts';
import type { KeptRun } from './kept-run.ts';
import type { RuleWorld } from './rule-world.ts';

/** An event without its time. */
export type RunAnswer = RunEvent extends infer Event
  ? Event extends unknown
    ? Omit<Event, 'nowMs'>
    : never
  : never;

type Outcome = Extract<RunEvent, { type: 'outcome' }>['outcome'];

/** Things that one step commands; what a selection finds beyond that is left out. */
const maxSelected = 1000;
const askTimeoutMs = 5000;
const askAgainMs = 500;
/** Codes after which a command may have been done: its device is asked. */
const unsure: ReadonlySet<string> = new Set([
  'outcome-unknown',
  'timeout',
  'connection-lost',
  'cancelled',
  'step-forgotten',
]);

/** For whom a run's expressions are evaluated. */
export const askedBy = (world: RuleWorld, run: KeptRun, step?: RuleStep): FactsFor => ({
  trigger: run.start.trigger,
  cause: causeOf(world, run, step),
  ...(run.staleMs !== undefined && { staleMs: run.staleMs }),
});

const causeOf = (world: RuleWorld, { start, chain, atMs }: KeptRun, step?: RuleStep): Cause =>
  causeOfFiring({ rule: start.rule, firing: start.firing, chain, atMs }, world, step);

/** What an evaluation is to the machine. */
export const resultOf = (
  world: RuleWorld,
  evaluation: Evaluation,
): Extract<RunEvent, { type: 'evaluated' }>['result'] => {
  if (evaluation.kind === 'value') return { value: evaluation.value };
  if (evaluation.kind === 'error') return { error: evaluation.message };
  return { unknown: evaluation.missing.map((use) => nameOfUse(world, use)).join(', ') };
};

/** The answer to an effect that has one; `watch`, `timer` and `finished` are the driver's own. */
export const carryOut = async (
  world: RuleWorld,
  run: KeptRun,
  effect: Exclude<RunEffect, { type: 'watch' | 'timer' | 'finished' }>,
): Promise<RunAnswer> => {
  const { path } = effect;
  switch (effect.type) {
    case 'evaluate': {
      const { evaluation } = await evaluate(world, effect.cel, askedBy(world, run));
      return { type: 'evaluated', path, result: resultOf(world, evaluation) };
    }
    case 'select':
      return { type: 'selected', path, ...select(world, effect.step) };
    case 'set':
      return { type: 'outcome', path, outcome: await set(world, effect) };
    case 'command':
      return { type: 'outcome', path, outcome: await command(world, run, effect) };
    case 'ask':
      return { type: 'answered', path, answer: await ask(world, run, effect) };
  }
};

const select = (
  world: RuleWorld,
  step: SelectRequest,
): { readonly commands: readonly Command[]; readonly missing?: true } => {
  if ('scene' in step) {
    const scene = world.book.scene(step.scene)?.scene;
    if (!scene) return { commands: [], missing: true };
    return {
      commands: scene.values.map(({ thing, property: name, value: input }) => ({
        ...{ thing, name, input },
        op: 'writeproperty',
      })),
    };
  }
  const { selection, nearestFirst, op, name } = step;
  const found = [...world.things.find(selection)];
  if (nearestFirst) {
    const farAway = Number.MAX_SAFE_INTEGER;
    const distance = (peer: PeerId): number =>
      peer === world.self ? -1 : (world.presence.rttMs(peer) ?? farAway);
    found.sort((a, b) => distance(a.peer) - distance(b.peer) || (a.thing < b.thing ? -1 : 1));
  }
  return {
    commands: found
      .slice(0, maxSelected)
      .map(({ thing }) => ({ thing, op, name, ...('input' in step && { input: step.input }) })),
  };
};

const set = async (world: RuleWorld, { name, value }: { name: string; value: unknown }): Promise<Outcome> => {
  try {
    await world.setValue(name, value);
    return { kind: 'done' };
  } catch (error) {
    return { kind: 'failed', code: toAlthingError(error).code };
  }
};

const stepOf = ({ start }: KeptRun, path: string): RuleStep => ({
  rule: start.rule,
  firing: start.firing,
  step: path,
  mode: start.mode,
  clock: start.clock,
});

const command = async (
  world: RuleWorld,
  run: KeptRun,
  { path, command: { thing, op, name, ...given }, deadlineMs }: Extract<RunEffect, { type: 'command' }>,
): Promise<Outcome> => {
  try {
    const cause = causeOf(world, run, stepOf(run, path));
    await world.connector.request({ thing, op, name, ...given }, { timeoutMs: deadlineMs, cause });
    return { kind: 'done' };
  } catch (error) {
    const { code } = toAlthingError(error);
    if (code === 'step-superseded') return { kind: 'superseded' };
    return unsure.has(code) ? { kind: 'unknown' } : { kind: 'failed', code };
  }
};

/** Asks until there is an answer. A device that says `begun` may be at it still; the machine gives up in time. */
const ask = async (
  world: RuleWorld,
  run: KeptRun,
  { path, command: { thing }, untilMs }: Extract<RunEffect, { type: 'ask' }>,
): Promise<Extract<RunEvent, { type: 'answered' }>['answer']> => {
  const { rule, firing, clock } = run.start;
  const peer = world.things.speakerOf(thing);
  if (peer === undefined) return 'unknown';
  const input = { rule, firing, step: path, clock };
  while (world.now() < untilMs) {
    try {
      const { outcome, code } = await world.ask(peer, { name: 'ask', input, timeoutMs: askTimeoutMs });
      if (outcome === 'done' || outcome === 'not-seen') return outcome;
      if (outcome === 'failed') return { failed: code ?? 'handler-failed' };
      if (outcome === 'forgotten') return 'unknown';
    } catch (error) {
      world.logger.debug({ err: error, peer }, 'A device cannot be asked about a step at the moment.');
    }
    await new Promise<void>((resolve) => world.schedule(askAgainMs, resolve));
  }
  return 'unknown';
};
