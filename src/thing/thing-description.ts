/**
 * The Thing Description as TypeScript sees it: the W3C's own generated types, under the names we use.
 * Relies on `wot-thing-description-types` (types only; nothing of it is loaded at run time).
 */
import type { ThingDescription as W3cThingDescription } from 'wot-thing-description-types';

/** A JSON Schema fragment of a TD (TD 1.1, section 5.3.2, DataSchema). */
export type DataSchema = Readonly<Record<string, unknown>>;

/** A form (TD 1.1, section 5.3.4.2). */
export interface Form {
  readonly href: string;
  readonly op?: string | string[];
  readonly contentType?: string;
  readonly subprotocol?: string;
  readonly [term: string]: unknown;
}

/** What all affordances share (TD 1.1, section 5.3.1.2). */
export interface Affordance {
  readonly title?: string;
  readonly description?: string;
  readonly forms?: Form[];
  readonly uriVariables?: Readonly<Record<string, DataSchema>>;
  readonly [term: string]: unknown;
}

export interface PropertyAffordance extends Affordance {
  readonly type?: string;
  readonly readOnly?: boolean;
  readonly writeOnly?: boolean;
  readonly observable?: boolean;
}

export interface ActionAffordance extends Affordance {
  readonly input?: DataSchema;
  readonly output?: DataSchema;
  /** False: `invokeaction` answers at once with an ActionStatus, and the action goes on. */
  readonly synchronous?: boolean;
  readonly safe?: boolean;
  readonly idempotent?: boolean;
}

export interface EventAffordance extends Affordance {
  readonly subscription?: DataSchema;
  readonly data?: DataSchema;
  readonly cancellation?: DataSchema;
}

/** A whole TD, as exposed: with id and title, and with the affordance maps that it has. */
export interface ThingDescription {
  readonly '@context': unknown;
  readonly '@type'?: string | string[];
  readonly id: string;
  readonly title: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, PropertyAffordance>>;
  readonly actions?: Readonly<Record<string, ActionAffordance>>;
  readonly events?: Readonly<Record<string, EventAffordance>>;
  readonly forms?: Form[];
  readonly security: string | string[];
  readonly securityDefinitions: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly [term: string]: unknown;
}

/** What `produce` takes (Scripting API, ExposedThingInit): at least a title; the rest is filled in. */
export type PartialThingDescription = Readonly<Record<string, unknown>> & { readonly title: string };

/** The W3C's generated type, for programs that use it. */
export type { W3cThingDescription };
