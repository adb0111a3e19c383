/**
 * The scope of a permission: which Things, which operations, which affordances, from when until when.
 * Relies on WoT's operation names; grants, guest passes and rules are all bounded by one.
 */
import * as v from 'valibot';
import type { ThingCall } from '../thing/operations.ts';
import { timeMs } from './statement-parts.ts';

/** What a scope can allow: reading and observing properties, writing them, actions, events. */
export const scopeOperations = ['read', 'write', 'invoke', 'subscribe'] as const;
export type ScopeOperation = (typeof scopeOperations)[number];

/** What a grant can allow besides: to write rules that use these Things, as far as their author itself may. */
export const grantOperations = [...scopeOperations, 'rule'] as const;

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(256));
const names = (max: number) => v.pipe(v.array(name), v.minLength(1), v.maxLength(max));

/** The entries of a scope in a statement's schema. */
export const scopeEntries = {
  /** `all`, or Things by id, or by `@type`. */
  things: v.variant('kind', [
    v.object({ kind: v.literal('all') }),
    v.object({ kind: v.literal('ids'), ids: names(64) }),
    v.object({ kind: v.literal('types'), types: names(16) }),
  ]),
  operations: v.pipe(v.array(v.picklist(grantOperations)), v.minLength(1), v.maxLength(5)),
  /** Names of properties, actions and events; null for all of them. */
  affordances: v.nullable(names(64)),
  /** Milliseconds since 1970, or null. */
  notBefore: v.nullable(timeMs),
  expires: v.nullable(timeMs),
};

const scopeSchema = v.object(scopeEntries);
export type GrantScope = v.InferOutput<typeof scopeSchema>;

/** The time at which a permission is used; `known` is false where this peer has no believable clock. */
export interface ScopeTime {
  readonly ms: number;
  readonly known: boolean;
}

/** A Thing as permissions see it. */
export interface ScopedThing {
  readonly id: string;
  readonly types: readonly string[];
}

const operationOf: Readonly<Record<ThingCall['op'], ScopeOperation>> = {
  readproperty: 'read',
  readallproperties: 'read',
  readmultipleproperties: 'read',
  observeproperty: 'read',
  writeproperty: 'write',
  writemultipleproperties: 'write',
  invokeaction: 'invoke',
  queryaction: 'invoke',
  cancelaction: 'invoke',
  subscribeevent: 'subscribe',
};

/** Whether a scope is open at this time: where the time is not known, one with bounds is closed. */
export const isOpen = ({ notBefore, expires }: GrantScope, time: ScopeTime): boolean => {
  if (notBefore === null && expires === null) return true;
  if (!time.known) return false;
  return time.ms >= (notBefore ?? 0) && time.ms < (expires ?? Number.POSITIVE_INFINITY);
};

/** Whether a scope reaches a Thing at all. A type matches with and without its prefix (`iot:Lock`, `Lock`). */
export const reachesThing = ({ things }: GrantScope, thing: ScopedThing): boolean => {
  if (things.kind === 'all') return true;
  if (things.kind === 'ids') return things.ids.includes(thing.id);
  return things.types.some((wanted) => hasType(thing.types, wanted));
};

/** Whether one of these types is the wanted one, prefixes aside where the wanted one has none. */
export const hasType = (types: readonly string[], wanted: string): boolean =>
  types.some((type) => type === wanted || (!wanted.includes(':') && localName(type) === wanted));

const localName = (type: string): string =>
  type.slice(Math.max(type.lastIndexOf(':'), type.lastIndexOf('#')) + 1);

/** Whether a scope covers a call on this Thing: the operation, and every affordance that it touches. */
export const coversCall = (scope: GrantScope, thing: ScopedThing, call: ThingCall): boolean =>
  covers(scope, operationOf[call.op], thing, call);

/** Whether a scope lets its subject write rules that make this call. */
export const coversRuleCall = (scope: GrantScope, thing: ScopedThing, call: ThingCall): boolean =>
  covers(scope, 'rule', thing, call);

const covers = (
  scope: GrantScope,
  operation: GrantScope['operations'][number],
  thing: ScopedThing,
  call: ThingCall,
): boolean => {
  if (!reachesThing(scope, thing) || !scope.operations.includes(operation)) return false;
  if (scope.affordances === null) return true;
  const touched = affordancesOf(call);
  return touched?.every((one) => scope.affordances!.includes(one)) ?? false;
};

/** The affordances that a call touches; undefined for all of them, or where that cannot be told. */
const affordancesOf = ({ op, name: affordance, input }: ThingCall): readonly string[] | undefined => {
  if (op === 'readallproperties') return undefined;
  if (op === 'readmultipleproperties')
    return Array.isArray(input) && input.every((one) => typeof one === 'string') ? input : undefined;
  if (op === 'writemultipleproperties')
    return typeof input === 'object' && input !== null && !Array.isArray(input)
      ? Object.keys(input)
      : undefined;
  return affordance === undefined ? undefined : [affordance];
};
