/**
 * The W3C WoT Scripting API's shapes as Althing offers them to programs, scripts and adapters.
 * Relies on the Thing Description types alone; `peer/` and the script child implement it.
 */
import type { AlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { PartialThingDescription, ThingDescription } from './thing-description.ts';

/** One firing of a rule that led to something. */
export interface CauseLink {
  /** The rule's key. */
  readonly rule: string;
  readonly firing: string;
  /** The peer that ran it. */
  readonly peer: PeerId;
  /** When it fired, milliseconds since 1970. */
  readonly atMs: number;
}

/** The step of a rule's run that a command is: its device does it at most once. */
export interface RuleStep {
  readonly rule: string;
  readonly firing: string;
  /** Names the command within its run; at most 600 characters. */
  readonly step: string;
  readonly mode: 'single' | 'restart' | 'queued' | 'parallel';
  /** The firing's stamp on the hybrid clock, the same for all its steps. */
  readonly clock: number;
}

/** Why something is asked: who started it, and what led to it. Travels with every request. */
export interface Cause {
  /** Unique id of the first act, at most 64 characters. */
  readonly id: string;
  /** What kind of thing began it. */
  readonly origin: 'cli' | 'http' | 'script' | 'program' | 'rule';
  /** The peer at which it began. */
  readonly peer: PeerId;
  /** The firings of rules that led here, oldest first, at most 16; absent where none did. */
  readonly chain?: readonly CauseLink[];
  /** Present where a rule commands. */
  readonly step?: RuleStep;
}

/** What handlers learn about the request they answer. */
export interface InteractionContext {
  /** Who asks: a member's id, this peer's own included. */
  readonly peer: PeerId;
  /** Aborted when the asker gives up, the deadline passes or the action is cancelled. */
  readonly signal: AbortSignal;
  /** When the answer is no longer wanted, in milliseconds since 1970. */
  readonly deadline: number;
  readonly cause: Cause;
  readonly uriVariables: Readonly<Record<string, unknown>>;
}

/** Data in an interaction (Scripting API, InteractionOutput): its value, or its bytes. */
export interface InteractionOutput {
  readonly data?: ReadableStream;
  readonly dataUsed: boolean;
  readonly form?: unknown;
  readonly schema?: unknown;
  /** The value, already checked against the DataSchema. */
  value(): Promise<unknown>;
  /** The value as bytes: binary data as it is, everything else as JSON in UTF-8. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** What handlers return and callers pass: plain data, or a function that gives it. */
export type InteractionInput = unknown;

/** Options of a consumer's interaction (Scripting API, InteractionOptions), with Althing's deadline. */
export interface InteractionOptions {
  readonly uriVariables?: Record<string, unknown>;
  readonly formIndex?: number;
  readonly data?: unknown;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal;
  /** How long to wait, in milliseconds (default 10 000). */
  readonly timeoutMs?: number;
  readonly cause?: Cause;
}

export type PropertyReadHandler = (
  options: InteractionContext,
) => InteractionInput | Promise<InteractionInput>;
export type PropertyWriteHandler = (
  input: InteractionOutput,
  options: InteractionContext,
) => void | Promise<void>;
export type ActionHandler = (
  input: InteractionOutput,
  options: InteractionContext,
) => InteractionInput | Promise<InteractionInput>;
export type SubscriptionHandler = (options: InteractionContext) => void | Promise<void>;

/** Receives the values of an observation or a subscription, in order, each once. */
export type InteractionListener = (data: InteractionOutput) => void | Promise<void>;
/** Told what went wrong: `values-missed` where values were lost, others where the subscription ended. */
export type ErrorListener = (error: AlthingError) => void;

/** An active observation or subscription (Scripting API, Subscription). */
export interface Subscription {
  readonly active: boolean;
  stop(options?: InteractionOptions): Promise<void>;
}

/** A Thing that this program offers (Scripting API, ExposedThing). */
export interface ExposedThing {
  /** The Thing's id, once exposed. */
  readonly id: string;
  setPropertyReadHandler(name: string, handler: PropertyReadHandler): ExposedThing;
  setPropertyWriteHandler(name: string, handler: PropertyWriteHandler): ExposedThing;
  setPropertyObserveHandler(name: string, handler: SubscriptionHandler): ExposedThing;
  setPropertyUnobserveHandler(name: string, handler: SubscriptionHandler): ExposedThing;
  setActionHandler(name: string, handler: ActionHandler): ExposedThing;
  setEventSubscribeHandler(name: string, handler: SubscriptionHandler): ExposedThing;
  setEventUnsubscribeHandler(name: string, handler: SubscriptionHandler): ExposedThing;
  /** Tells observers of a change: with `data` given, that value; without, what the read handler says. */
  emitPropertyChange(name: string, data?: InteractionInput): Promise<void>;
  emitEvent(name: string, data?: InteractionInput): Promise<void>;
  expose(): Promise<void>;
  destroy(): Promise<void>;
  getThingDescription(): ThingDescription;
}

/** A Thing that this program uses (Scripting API, ConsumedThing). */
export interface ConsumedThing {
  readProperty(name: string, options?: InteractionOptions): Promise<InteractionOutput>;
  readAllProperties(options?: InteractionOptions): Promise<Map<string, InteractionOutput>>;
  readMultipleProperties(
    names: string[],
    options?: InteractionOptions,
  ): Promise<Map<string, InteractionOutput>>;
  writeProperty(name: string, value: InteractionInput, options?: InteractionOptions): Promise<void>;
  writeMultipleProperties(
    values: Map<string, InteractionInput> | Record<string, InteractionInput>,
    options?: InteractionOptions,
  ): Promise<void>;
  invokeAction(
    name: string,
    input?: InteractionInput,
    options?: InteractionOptions,
  ): Promise<InteractionOutput>;
  queryAction(name: string, invocation: string, options?: InteractionOptions): Promise<ActionStatus>;
  cancelAction(name: string, invocation: string, options?: InteractionOptions): Promise<void>;
  observeProperty(
    name: string,
    listener: InteractionListener,
    onError?: ErrorListener,
    options?: InteractionOptions,
  ): Promise<Subscription>;
  subscribeEvent(
    name: string,
    listener: InteractionListener,
    onError?: ErrorListener,
    options?: InteractionOptions,
  ): Promise<Subscription>;
  getThingDescription(): ThingDescription;
}

/** The state of a long-running action (`synchronous: false`), in the WoT Profile's ActionStatus shape. */
export interface ActionStatus {
  readonly id: string;
  readonly status: 'pending' | 'running' | 'completed' | 'failed' | 'cancelled';
  readonly output?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
  /** RFC 3339 times. */
  readonly timeRequested: string;
  readonly timeEnded?: string;
}

/** What `discover` looks for (Scripting API, ThingFilter); every given member must match. */
export interface ThingFilter {
  /** A TD fragment: `id`, `title`, `@type`, and affordance names under `properties`, `actions`, `events`. */
  readonly fragment?: Readonly<Record<string, unknown>>;
  /** Free text found in id, title or `@type`. */
  readonly query?: string;
  readonly type?: string;
  readonly room?: string;
}

/** The entry object (Scripting API, WOT). */
export interface Wot {
  produce(td: PartialThingDescription): Promise<ExposedThing>;
  consume(td: ThingDescription | string): Promise<ConsumedThing>;
  discover(filter?: ThingFilter): AsyncIterable<ThingDescription> & Promise<ThingDescription[]>;
  /** The TD of a Thing by its id, title or `peer/name` (Scripting API, requestThingDescription). */
  requestThingDescription(thing: string): Promise<ThingDescription>;
}
