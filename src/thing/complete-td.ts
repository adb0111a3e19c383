/**
 * Makes a whole Thing Description of what a program gives to `produce`: context, id, security and `althing:` forms.
 * Relies on the address scheme alone; it never refuses, `validateTd` on the result says what is wrong.
 */
import type { PeerId } from '../core/ids.ts';
import { type AffordanceKind, affordanceKinds, althingHref } from './althing-href.ts';
import { isPlainObject } from './plain-value.ts';
import type { PartialThingDescription, ThingDescription } from './thing-description.ts';

const contextV1 = 'https://www.w3.org/2019/wot/td/v1';
const contextV11 = 'https://www.w3.org/2022/wot/td/v1.1';
const althingContext = { althing: 'urn:althing:ns#' };

/**
 * The TD under which a Thing is exposed. `id` becomes the TD's id (the program's own stays as `althing:originalId`),
 * missing security becomes `nosec_sc` (the session protects), and every form is replaced by one `althing:` form, which
 * keeps the content types of the first form that was given.
 * @param target the Thing's id, the peer that exposes it, and its local name
 */
export const completeTd = (
  partial: PartialThingDescription,
  target: { id: string; peer: PeerId; name: string },
): ThingDescription => {
  const { '@context': context, base: _base, forms: _forms, ...rest } = partial;
  const own = typeof partial.id === 'string' && partial.id !== target.id ? partial.id : undefined;
  const original = own ?? rest['althing:originalId'];
  const td: Record<string, unknown> = {
    '@context': contextOf(context, original !== undefined),
    ...rest,
    id: target.id,
  };
  if (original !== undefined) td['althing:originalId'] = original;
  if (rest.security === undefined && rest.securityDefinitions === undefined) {
    td.security = 'nosec_sc';
    td.securityDefinitions = { nosec_sc: { scheme: 'nosec' } };
  }
  for (const kind of affordanceKinds)
    if (isPlainObject(rest[kind])) td[kind] = withForms(rest[kind], kind, target);
  const operations = topLevelOperations(rest.properties);
  if (operations.length > 0)
    td.forms = [
      {
        op: operations,
        href: althingHref({ ...target, kind: 'properties' }),
        contentType: 'application/json',
      },
    ];
  return td as ThingDescription;
};

/** TD 1.1, section 5.3.1.1: the 1.1 context first, or right after the one of 1.0; extensions behind. */
const contextOf = (given: unknown, needsOurs: boolean): unknown => {
  const all = given === undefined ? [] : Array.isArray(given) ? given : [given];
  const standard = all.includes(contextV1) ? [contextV1, contextV11] : [contextV11];
  const others = all.filter((entry) => entry !== contextV1 && entry !== contextV11);
  const declared = others.some((entry) => isPlainObject(entry) && entry.althing === althingContext.althing);
  const context = [...standard, ...others, ...(needsOurs && !declared ? [althingContext] : [])];
  return context.length === 1 ? context[0] : context;
};

const withForms = (
  affordances: Readonly<Record<string, unknown>>,
  kind: AffordanceKind,
  target: { peer: PeerId; name: string },
): object =>
  Object.fromEntries(
    Object.entries(affordances).map(([name, affordance]) => {
      if (!isPlainObject(affordance)) return [name, affordance];
      const first: unknown = Array.isArray(affordance.forms) ? affordance.forms[0] : undefined;
      const given = isPlainObject(first) ? first : {};
      const form = {
        op: operationsOf(kind, affordance),
        href: althingHref({ ...target, kind, affordance: name }) + templateOf(affordance.uriVariables),
        contentType: given.contentType ?? 'application/json',
        ...(given.response === undefined ? {} : { response: given.response }),
      };
      return [name, { ...affordance, forms: [form] }];
    }),
  );

/** RFC 6570: the variables as a query, so that the TD says where they go. */
const templateOf = (uriVariables: unknown): string => {
  const names = isPlainObject(uriVariables) ? Object.keys(uriVariables) : [];
  return names.length === 0 ? '' : `{?${names.map(encodeURIComponent).join(',')}}`;
};

const operationsOf = (kind: AffordanceKind, affordance: Readonly<Record<string, unknown>>): string[] => {
  if (kind === 'events') return ['subscribeevent', 'unsubscribeevent'];
  if (kind === 'actions')
    return affordance.synchronous === false
      ? ['invokeaction', 'queryaction', 'cancelaction']
      : ['invokeaction'];
  const operations: string[] = [];
  if (affordance.writeOnly !== true) operations.push('readproperty');
  if (affordance.readOnly !== true) operations.push('writeproperty');
  if (affordance.observable === true) operations.push('observeproperty', 'unobserveproperty');
  return operations;
};

const topLevelOperations = (properties: unknown): string[] => {
  const all = isPlainObject(properties) ? Object.values(properties).filter(isPlainObject) : [];
  const operations: string[] = [];
  if (all.some((property) => property.writeOnly !== true))
    operations.push('readallproperties', 'readmultipleproperties');
  if (all.some((property) => property.readOnly !== true)) operations.push('writemultipleproperties');
  return operations;
};
