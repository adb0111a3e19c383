/**
 * Where members ask a device about rules: what became of a step, what it executed and obeyed, what it stands by for.
 * Relies on the store, the ledger and the engine for the answers; it is asked over sessions, under an id that no Thing has.
 */
import * as v from 'valibot';
import type { Role } from '../../core/api-shapes.ts';
import { encode } from '../../core/codec.ts';
import { AlthingError } from '../../core/errors.ts';
import { isPeerId, type PeerId, thingIdOf } from '../../core/ids.ts';
import type { ExecutionInfo, ObeyedInfo } from '../../core/rule-shapes.ts';
import type { Session } from '../../net/session.ts';
import type { RequestOperation, ThingCall } from '../../thing/operations.ts';
import type { RuleStep } from '../../thing/scripting-api.ts';
import type { Caller } from '../sharing/access-gate.ts';
import type { ExecutionFilter } from './rule-store.ts';

/** The id under which a peer's desk is asked. */
export const deskIdOf = (peer: PeerId): string => thingIdOf(peer, '.rules');

/** Names a step that was commanded; what it was about, its device knows. */
export type AskedStep = Omit<RuleStep, 'mode'>;

/** What became of it; `begun`: its device lost its power meanwhile, or works on it still. */
export interface StepAnswer {
  readonly outcome: 'done' | 'failed' | 'begun' | 'not-seen' | 'forgotten';
  /** The error code of a failure. */
  readonly code?: string;
}

/** What is asked and answered, by name. `standby` and `over` are what the engine makes of them. */
export interface DeskCalls {
  readonly ask: { readonly input: AskedStep; readonly answer: StepAnswer };
  readonly executions: { readonly input: ExecutionFilter; readonly answer: ExecutionInfo[] };
  readonly obeyed: {
    readonly input: { readonly thing: string; readonly limit?: number };
    readonly answer: ObeyedInfo[];
  };
  readonly standby: { readonly input: unknown; readonly answer: unknown };
  readonly over: { readonly input: unknown; readonly answer: unknown };
}

/** The engine's part; `input` is what a member sent: of bounded size, and otherwise unchecked. */
export interface StandbyHandlers {
  standby(from: PeerId, input: unknown): unknown;
  over(from: PeerId, input: unknown): unknown;
}

export interface RuleDeskOptions {
  readonly roleOf: (peer: PeerId) => Role | undefined;
  /** What became of a step that a peer sent; one that is being done is waited for, at most `waitMs`. */
  readonly ask: (step: AskedStep, waitMs: number, from: PeerId) => Promise<StepAnswer>;
  /** What was executed here, as far as the caller may see it. */
  readonly executions: (filter: ExecutionFilter, caller: Caller) => ExecutionInfo[];
  /** What a Thing obeyed, as far as the caller may see it. */
  readonly obeyed: (caller: Caller, thing: string, limit: number) => ObeyedInfo[];
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
}

/** Questions of one peer at once, and how many more each second. */
const burst = 300;
const perSecond = 100;
/** Members whose rate is remembered; a fabric with more loses the oldest, which is as good as new by then. */
const maxAskers = 256;
const maxInputBytes = 256 * 1024;
const maxAnswerBytes = 512 * 1024;
/** A device that is at it is waited for; the asker's own patience is longer. */
const askWaitMs = 4000;

const limit = v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50)));
const rule = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,59}$/));
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(600));
const stamp = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const inputs = {
  ask: v.strictObject({ rule, firing: name, step: name, clock: stamp }),
  executions: v.strictObject({ rule: v.exactOptional(rule), firing: v.exactOptional(name), limit }),
  obeyed: v.strictObject({ thing: v.pipe(v.string(), v.minLength(1), v.maxLength(256)), limit }),
};

/** One peer's desk. */
export class RuleDesk {
  readonly #options: RuleDeskOptions;
  readonly #rates = new Map<PeerId, { left: number; atMs: number }>();
  #standby: StandbyHandlers | undefined;

  constructor(options: RuleDeskOptions) {
    this.#options = options;
  }

  /** From now on the engine answers `standby` and `over`. */
  serve(handlers: StandbyHandlers): void {
    this.#standby = handlers;
  }

  /**
   * `invokeaction` of a name in `DeskCalls`. Throws `forbidden` for all but members, `rate-limited`, `bad-input`,
   * `value-too-large`, `operation-unsupported`, `affordance-unknown`, and `not-running` where no engine serves.
   */
  async request(caller: Caller, call: ThingCall<RequestOperation>): Promise<unknown> {
    const { peer, visitor } = caller;
    const role = this.#options.roleOf(peer);
    if (visitor.kind !== 'member' || role === undefined || role === 'guest')
      throw new AlthingError('forbidden', 'Only members that are no guests may ask about rules.');
    this.#checkRate(peer);
    if (call.op !== 'invokeaction')
      throw new AlthingError(
        'operation-unsupported',
        `A rule desk is asked with invokeaction, not ${call.op}.`,
      );
    if (encode(call.input ?? null).length > maxInputBytes)
      throw new AlthingError('value-too-large', `A rule desk takes at most ${maxInputBytes} bytes at once.`);
    return this.#answer(caller, call);
  }

  async #answer(caller: Caller, { name: asked, input }: ThingCall): Promise<unknown> {
    const { ask, executions, obeyed } = this.#options;
    switch (asked) {
      case 'ask':
        return ask(checked(inputs.ask, input), askWaitMs, caller.peer);
      case 'executions':
        return thatFit(executions(checked(inputs.executions, input), caller));
      case 'obeyed': {
        const { thing, limit: atMost = 16 } = checked(inputs.obeyed, input);
        return thatFit(obeyed(caller, thing, atMost));
      }
      case 'standby':
      case 'over': {
        if (!this.#standby)
          throw new AlthingError('not-running', 'This device does not run rules at the moment.');
        return this.#standby[asked](caller.peer, input);
      }
      default:
        throw new AlthingError('affordance-unknown', `A rule desk has no "${String(asked).slice(0, 40)}".`);
    }
  }

  #checkRate(peer: PeerId): void {
    const nowMs = this.#options.now();
    const before = this.#rates.get(peer) ?? { left: burst, atMs: nowMs };
    const left = Math.min(burst, before.left + ((nowMs - before.atMs) / 1000) * perSecond);
    this.#rates.delete(peer);
    this.#rates.set(peer, { left: left >= 1 ? left - 1 : left, atMs: nowMs });
    if (this.#rates.size > maxAskers) this.#rates.delete(this.#rates.keys().next().value!);
    if (left < 1) throw new AlthingError('rate-limited', `${peer} asks about rules too often.`);
  }
}

/** How a desk is reached. */
export interface DeskWay {
  readonly self: PeerId;
  readonly own: RuleDesk;
  readonly session: (peer: PeerId) => Session | undefined;
  /** Makes a session where there is none. Throws `peer-offline`, `cancelled`, `too-many`. */
  readonly reach: (peer: PeerId, options: { timeoutMs: number }) => Promise<Session>;
}

/**
 * Asks a peer's desk, this one's included. What another peer says is not checked here. Throws `peer-offline`, the
 * session's codes and the desk's.
 */
export const askDesk = async <Name extends keyof DeskCalls>(
  { self, own, session, reach }: DeskWay,
  peer: PeerId,
  { name: asked, input, timeoutMs }: { name: Name; input: DeskCalls[Name]['input']; timeoutMs: number },
): Promise<DeskCalls[Name]['answer']> => {
  if (!isPeerId(peer)) throw new AlthingError('peer-unknown', `"${peer}" is no peer.`);
  const call = { thing: deskIdOf(peer), op: 'invokeaction', name: asked, input } as const;
  if (peer === self) return (await own.request({ peer, visitor: { kind: 'member' } }, call)) as never;
  const began = performance.now();
  const to = session(peer) ?? (await reach(peer, { timeoutMs }));
  return (await to.request(call, {
    timeoutMs: Math.max(1, timeoutMs - (performance.now() - began)),
  })) as never;
};

const checked = <Schema extends v.GenericSchema>(schema: Schema, input: unknown): v.InferOutput<Schema> => {
  const parsed = v.safeParse(schema, input, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const path = v.getDotPath(parsed.issues[0]) ?? 'the input';
  throw new AlthingError('bad-input', `A rule desk does not understand ${path}: ${parsed.issues[0].message}`);
};

/** As many of the first ones as fit into an answer. */
const thatFit = <Item>(items: readonly Item[]): Item[] => {
  const fitting: Item[] = [];
  let sizeBytes = 0;
  for (const item of items) {
    sizeBytes += encode(item).length;
    if (sizeBytes > maxAnswerBytes) break;
    fitting.push(item);
  }
  return fitting;
};
