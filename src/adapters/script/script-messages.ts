/**
 * What a script's process and its host say to each other, and within which limits.
 * Relies on types alone, so that the child loads nothing for it.
 */
import type { ErrorCode } from '../../core/errors.ts';
import type { Cause, ThingFilter } from '../../thing/scripting-api.ts';
import type { PartialThingDescription, ThingDescription } from '../../thing/thing-description.ts';
import type { Carried } from './carried-value.ts';

/** Limits of the channel between host and child. */
export const channelLimits = {
  /** Largest message that the host accepts from a child, in bytes. */
  fromChildBytes: 1024 * 1024,
  /** Largest message that a child accepts from its host, in bytes: TDs of a whole fabric fit. */
  fromHostBytes: 16 * 1024 * 1024,
  /** Requests that one side may have open at the other: its credit. */
  openRequests: 256,
  /** Requests that wait in the child for credit before it counts as flooding. */
  waitingRequests: 10_000,
  /** Values of one subscription on their way to the child; more are counted as missed. */
  openValues: 64,
  /** Bytes that wait for a child that does not read, beyond which the host refuses to send. */
  waitingBytes: 32 * 1024 * 1024,
  /** Things consumed, and streams open, by one script at a time. */
  handles: 1000,
} as const;

/** An affordance's handler, as `set...Handler` names it. */
export type HandlerKind =
  | 'readProperty'
  | 'writeProperty'
  | 'observeProperty'
  | 'unobserveProperty'
  | 'invokeAction'
  | 'subscribeEvent'
  | 'unsubscribeEvent';

/** The part of `InteractionOptions` that travels; the signal travels as a `cancel`. */
export interface WireOptions {
  readonly uriVariables?: Record<string, unknown>;
  readonly formIndex?: number;
  readonly data?: unknown;
  readonly timeoutMs?: number;
  readonly cause?: Cause;
}

/** What a script does with a consumed Thing and is answered once. */
export type UseOperation =
  | 'readproperty'
  | 'writeproperty'
  | 'readallproperties'
  | 'readmultipleproperties'
  | 'writemultipleproperties'
  | 'invokeaction'
  | 'queryaction'
  | 'cancelaction';

/** Requests of the child. Things, consumed Things and streams go by small numbers; the child picks a stream's. */
export type ChildRequest =
  | { op: 'produce'; params: { td: PartialThingDescription } }
  | { op: 'expose'; params: { thing: number } }
  | { op: 'destroy'; params: { thing: number } }
  | { op: 'emit'; params: { thing: number; what: 'property' | 'event'; name: string } & Carried }
  | { op: 'describe'; params: { thing: string } }
  | { op: 'discover'; params: { filter?: ThingFilter } }
  | { op: 'consume'; params: { td: ThingDescription | string } }
  | {
      op: 'use';
      params: { consumed: number; use: UseOperation; name?: string; options: WireOptions } & Carried;
    }
  | {
      op: 'open';
      params: {
        consumed: number;
        stream: number;
        what: 'property' | 'event';
        name: string;
        options: WireOptions;
      };
    }
  | { op: 'close'; params: { stream: number } };

/** Notices of the child. */
export type ChildNotice =
  /** The script's top level, and its default export where it has one, have completed. */
  | { topic: 'started'; params: Record<string, never> }
  /** The script threw, and its process is about to end. */
  | { topic: 'fatal'; params: { message: string } }
  /** More requests wait than the limit allows. */
  | { topic: 'flooded'; params: Record<string, never> }
  | { topic: 'pong'; params: { rssBytes: number } }
  | { topic: 'handler'; params: { thing: number; handler: HandlerKind; name: string } }
  | { topic: 'credit'; params: { stream: number; count: number } }
  | { topic: 'release'; params: { consumed: number } };

/** The one request of the host: a handler of the script is wanted. */
export interface HostRequest {
  op: 'call';
  params: {
    thing: number;
    handler: HandlerKind;
    name: string;
    context: { peer: string; deadline: number; cause: Cause; uriVariables: Record<string, unknown> };
  } & Carried;
}

/** Notices of the host. */
export type HostNotice =
  | { topic: 'ping'; params: Record<string, never> }
  | { topic: 'value'; params: { stream: number } & Carried }
  | {
      topic: 'stream-error';
      params: { stream: number; code: ErrorCode; message: string; details?: Record<string, unknown> };
    };

/** One message; `Request` and `Notice` are those of the side that sends it. */
export type Message<Request, Notice> =
  | ({ kind: 'request'; id: number } & Request)
  | ({ kind: 'result'; id: number } & Carried)
  | { kind: 'failure'; id: number; code: ErrorCode; message: string; details?: Record<string, unknown> }
  | { kind: 'cancel'; id: number }
  | ({ kind: 'notice' } & Notice);
