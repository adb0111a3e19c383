/**
 * A Thing Description cut down to what somebody may use of the Thing.
 * Relies on a judge of single operations; what is left is a whole TD again.
 */
import { type AffordanceKind, affordanceKinds } from '../../thing/althing-href.ts';
import type { Operation } from '../../thing/operations.ts';
import type { Affordance, Form, ThingDescription } from '../../thing/thing-description.ts';

/** Whether an operation on an affordance, or on all properties, is allowed. */
export type IsAllowed = (op: Operation, name?: string) => boolean;

/** The operations that make an affordance worth showing. */
const uses: Readonly<Record<AffordanceKind, readonly Operation[]>> = {
  properties: ['readproperty', 'writeproperty'],
  actions: ['invokeaction'],
  events: ['subscribeevent'],
};

/** The TD with those affordances and operations only that are allowed. */
export const visibleTd = (td: ThingDescription, isAllowed: IsAllowed): ThingDescription => {
  const { forms, ...rest } = td;
  const cut: Record<string, unknown> = { ...rest };
  for (const kind of affordanceKinds) {
    const affordances: Readonly<Record<string, Affordance>> | undefined = td[kind];
    if (!affordances) continue;
    const shown = Object.entries(affordances).flatMap(([name, affordance]) => {
      if (!uses[kind].some((op) => isAllowed(op, name))) return [];
      const visible = visibleAffordance(kind, name, affordance, isAllowed);
      return visible ? [[name, visible] as const] : [];
    });
    if (shown.length === 0) delete cut[kind];
    else cut[kind] = Object.fromEntries(shown);
  }
  const names = Object.keys((cut.properties as object | undefined) ?? {});
  const general = withOperations(forms, (op) =>
    op === 'readmultipleproperties'
      ? names.some((name) => isAllowed('readproperty', name))
      : op === 'writemultipleproperties'
        ? names.some((name) => isAllowed('writeproperty', name))
        : isAllowed(op as Operation),
  );
  return (general.length > 0 ? { ...cut, forms: general } : cut) as ThingDescription;
};

/** Undefined where nothing of it is left: a property that can be written only, for one who may only read. */
const visibleAffordance = (
  kind: AffordanceKind,
  name: string,
  affordance: Affordance,
  isAllowed: IsAllowed,
): Affordance | undefined => {
  const forms = withOperations(affordance.forms, (op) => isAllowed(startOf(op), name));
  if (affordance.forms && forms.length === 0) return undefined;
  const cut = { ...affordance, ...(affordance.forms && { forms }) };
  if (kind !== 'properties') return cut;
  return {
    ...cut,
    ...(!isAllowed('writeproperty', name) && { readOnly: true }),
    ...(!isAllowed('readproperty', name) && { writeOnly: true, observable: false }),
  };
};

/** The operation that one of WoT's ending operations belongs to. */
const startOf = (op: string): Operation =>
  (op === 'unobserveproperty'
    ? 'observeproperty'
    : op === 'unsubscribeevent'
      ? 'subscribeevent'
      : op) as Operation;

const withOperations = (forms: readonly Form[] | undefined, keeps: (op: string) => boolean): Form[] =>
  (forms ?? []).flatMap((form) => {
    if (form.op === undefined) return [form];
    const op = [form.op].flat().filter(keeps);
    return op.length > 0 ? [{ ...form, op }] : [];
  });
