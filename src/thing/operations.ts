/**
 * The operations on Things, under their WoT names, and the seam through which a Thing is used.
 * Relies on the Scripting API's shapes; sessions, the gateway, scripts and local calls all speak this.
 */
import type { AlthingError } from '../core/errors.ts';
import type { Cause, InteractionContext } from './scripting-api.ts';

/** Operations answered once (TD 1.1, section 5.3.4.2, `op`). */
export const requestOperations = [
  'readproperty',
  'writeproperty',
  'readallproperties',
  'readmultipleproperties',
  'writemultipleproperties',
  'invokeaction',
  'queryaction',
  'cancelaction',
] as const;
export type RequestOperation = (typeof requestOperations)[number];

/** Operations answered with a stream of values until they are cancelled. */
export const streamOperations = ['observeproperty', 'subscribeevent'] as const;
export type StreamOperation = (typeof streamOperations)[number];

export type Operation = RequestOperation | StreamOperation;

/**
 * One use of a Thing. `name` is the affordance (absent in the all/multiple forms).
 * `input`: the value to write or the action's input; for `readmultipleproperties` the names (string[]); for
 * `writemultipleproperties` an object name -> value; for `queryaction` and `cancelaction` the invocation id (string);
 * for `subscribeevent` the subscription data.
 * Results: the value; an object name -> value for the multiple forms; null for writes and cancels; an ActionStatus
 * for `queryaction`, and for `invokeaction` where the TD says `synchronous: false`.
 */
export interface ThingCall<Op extends Operation = Operation> {
  readonly thing: string;
  readonly op: Op;
  readonly name?: string;
  readonly input?: unknown;
  readonly uriVariables?: Readonly<Record<string, unknown>>;
}

/** How long, why, and until when a caller waits. */
export interface CallOptions {
  /** Milliseconds to wait for an answer (default 10 000). */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly cause?: Cause;
}

/** Where a stream stands: the publisher's run (changes when it restarts) and the count of values since. */
export interface StreamPosition {
  readonly run: string;
  readonly seq: number;
}

/** Receives a stream's values: in order, each once. */
export interface StreamSink {
  next(value: unknown, position: StreamPosition): void;
  /**
   * Tells of values that will never come (`values-missed`, `details.missed`: how many, or null where unknown); the
   * stream goes on, after `position` where that is known. Every other code ends the stream.
   */
  error(error: AlthingError, position?: StreamPosition): void;
}

/** An open stream. */
export interface StreamHandle {
  stop(): void;
}

/** The consumer's seam: uses any Thing of the fabric, wherever it is. */
export interface ThingConnector {
  /** Resolves with the operation's result. Throws every code that the device or the way to it can give. */
  request(call: ThingCall<RequestOperation>, options?: CallOptions): Promise<unknown>;
  /** Resolves once the device has accepted; goes on by itself over reconnects until stopped. */
  stream(call: ThingCall<StreamOperation>, sink: StreamSink, options?: CallOptions): Promise<StreamHandle>;
}

/** The device's seam: what an exposed Thing answers. Access has been checked before it is called. */
export interface ThingServer {
  request(call: ThingCall<RequestOperation>, context: InteractionContext): Promise<unknown>;
  /**
   * Opens a stream; with `after`, replays what came since, or says what was missed.
   * The handle's `position` is the one just before the first value that the sink gets. Values may reach the sink
   * before the promise resolves.
   */
  stream(
    call: ThingCall<StreamOperation>,
    sink: StreamSink,
    context: InteractionContext,
    after?: StreamPosition,
  ): Promise<StreamHandle & { readonly position: StreamPosition }>;
}
