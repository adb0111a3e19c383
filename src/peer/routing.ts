/**
 * The way of an operation: to a Thing exposed here, or over the session with the peer that exposes it; one hop.
 * Relies on the sessions and the exposed Things; access is checked where the Thing is, by `device-server.ts`.
 */
import type { Activity } from '../core/api-shapes.ts';
import { AlthingError, toAlthingError } from '../core/errors.ts';
import { type PeerId, parseThingId } from '../core/ids.ts';
import type { Session } from '../net/session.ts';
import type {
  CallOptions,
  RequestOperation,
  StreamHandle,
  StreamOperation,
  StreamSink,
  ThingCall,
  ThingConnector,
  ThingServer,
} from '../thing/operations.ts';
import type { Cause, InteractionContext } from '../thing/scripting-api.ts';
import { RemoteStreams } from './remote-streams.ts';
import type { CheckingThing, StepGate } from './rules/step-gate.ts';

export interface RoutingOptions {
  readonly self: PeerId;
  /** The Thing exposed here under this id. */
  readonly exposed: (id: string) => (CheckingThing & ThingServer) | undefined;
  /** The gate through which commands reach the Things of this device. */
  readonly steps: () => StepGate;
  /** Whether the fabric knows a Thing of this id. */
  readonly known: (id: string) => boolean;
  readonly session: (peer: PeerId) => Session | undefined;
  /** Makes a session where there is none. Throws `peer-offline`, `cancelled`, `too-many`. */
  readonly reach: (peer: PeerId, options: { timeoutMs: number; signal?: AbortSignal }) => Promise<Session>;
  /** Who speaks for the Things of a peer now: itself, or whoever took its place. */
  readonly speakerOf: (peer: PeerId) => PeerId;
  readonly newCause: () => Cause;
  /** Undefined while nobody listens, so that commands cost nothing more. */
  readonly activity: () => ((activity: Omit<Activity, 'time'>) => void) | undefined;
}

const defaultTimeoutMs = 10_000;

/** A local caller's context; the signal is made only for handlers that look at it. */
class LocalContext implements InteractionContext {
  readonly peer: PeerId;
  readonly deadline: number;
  readonly cause: Cause;
  readonly uriVariables: Readonly<Record<string, unknown>>;
  readonly #timeoutMs: number;
  readonly #given: AbortSignal | undefined;
  #signal: AbortSignal | undefined;

  constructor(peer: PeerId, call: ThingCall, options: CallOptions, cause: Cause) {
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    this.#given = options.signal;
    this.peer = peer;
    this.deadline = Date.now() + this.#timeoutMs;
    this.cause = cause;
    this.uriVariables = call.uriVariables ?? {};
  }

  get signal(): AbortSignal {
    if (!this.#signal) {
      const timeout = AbortSignal.timeout(this.#timeoutMs);
      this.#signal = this.#given ? AbortSignal.any([timeout, this.#given]) : timeout;
    }
    return this.#signal;
  }
}

/** Every operation of this peer goes through here. */
export class Routing implements ThingConnector {
  readonly #options: RoutingOptions;
  readonly #streams: RemoteStreams;

  constructor(options: RoutingOptions) {
    this.#options = options;
    this.#streams = new RemoteStreams((owner) => options.session(options.speakerOf(owner)));
  }

  async request(call: ThingCall<RequestOperation>, options: CallOptions = {}): Promise<unknown> {
    const cause = options.cause ?? this.#options.newCause();
    const report = isLook(call, cause) ? undefined : this.#options.activity();
    const started = performance.now();
    const speaker = this.#speakerOf(call.thing);
    const tell = (outcome: string): void =>
      report?.({
        ...said(call),
        kind: 'command',
        peer: speaker,
        outcome,
        rttMs: performance.now() - started,
        ...(cause.step && { rule: cause.step.rule, firing: cause.step.firing }),
      });
    try {
      const result =
        speaker === this.#options.self
          ? await this.#options
              .steps()
              .request(this.#local(call), call, new LocalContext(speaker, call, options, cause))
          : await this.#ask(speaker, call, { ...options, cause });
      if (report) tell('ok');
      return result ?? null;
    } catch (error) {
      if (report) tell(toAlthingError(error).code);
      throw error;
    }
  }

  async stream(
    call: ThingCall<StreamOperation>,
    sink: StreamSink,
    options: CallOptions = {},
  ): Promise<StreamHandle> {
    const cause = options.cause ?? this.#options.newCause();
    const speaker = this.#speakerOf(call.thing);
    if (speaker === this.#options.self)
      return this.#local(call).stream(call, sink, new LocalContext(speaker, call, options, cause));
    const { peer: owner } = parseThingId(call.thing)!;
    if (this.#options.session(speaker)) return this.#streams.open(owner, call, sink, { ...options, cause });
    const { left } = await this.#reach(speaker, call.thing, options);
    return this.#streams.open(owner, call, sink, { ...left, cause });
  }

  /** A session with a peer has begun, or some peer may have taken another's place: streams from there go on. */
  resumeStreams(peer?: PeerId): void {
    this.#streams.resume(peer);
  }

  /** The peers whose values somebody here follows. */
  followed(): Set<PeerId> {
    return new Set([...this.#streams.owners()].map((owner) => this.#options.speakerOf(owner)));
  }

  close(): void {
    this.#streams.close();
  }

  #speakerOf(thing: string): PeerId {
    const owner = parseThingId(thing)?.peer;
    if (owner) return this.#options.speakerOf(owner);
    throw new AlthingError('thing-unknown', `"${thing}" is no Thing of this fabric.`);
  }

  #local(call: ThingCall): CheckingThing & ThingServer {
    const thing = this.#options.exposed(call.thing);
    if (thing) return thing;
    throw new AlthingError('thing-unknown', `Nothing exposes ${call.thing} on this device at the moment.`);
  }

  async #ask(owner: PeerId, call: ThingCall<RequestOperation>, options: CallOptions): Promise<unknown> {
    const session = this.#options.session(owner);
    if (session) return session.request(call, options);
    const { session: made, left } = await this.#reach(owner, call.thing, options);
    return made.request(call, left);
  }

  /** A session that is made for this call, and what is left of the caller's patience. */
  async #reach(
    owner: PeerId,
    thing: string,
    options: CallOptions,
  ): Promise<{ session: Session; left: CallOptions }> {
    if (!this.#options.known(thing))
      throw new AlthingError('thing-unknown', `No Thing of this fabric has the id ${thing}.`);
    const { timeoutMs = defaultTimeoutMs, signal } = options;
    const began = performance.now();
    try {
      const session = await this.#options.reach(owner, { timeoutMs, ...(signal && { signal }) });
      const leftMs = Math.max(1, timeoutMs - (performance.now() - began));
      return { session, left: { ...options, timeoutMs: leftMs } };
    } catch (error) {
      if (toAlthingError(error).code !== 'peer-offline') throw error;
      throw new AlthingError('peer-offline', `The device of ${thing} cannot be reached at the moment.`);
    }
  }
}

/** What a rule reads, every two seconds perhaps, would drown what people look for. */
const isLook = ({ op }: ThingCall, { origin }: Cause): boolean => origin === 'rule' && op === 'readproperty';

const said = (call: ThingCall): { thing: string; op: string; name?: string } => ({
  thing: call.thing,
  op: call.op,
  ...(call.name === undefined ? {} : { name: call.name }),
});
