/**
 * What TD 1.1 demands of a Thing Description and its JSON Schema cannot say: names that must exist, links that must
 * not repeat, and Thing Models, which are no Thing Descriptions. Relies on the TD being plain data of limited size.
 */
import { type AffordanceKind, affordanceKinds } from './althing-href.ts';
import { isPlainObject, pointerStep } from './plain-value.ts';

/** One thing wrong with a TD: where (RFC 6901, '' for the whole), and what. */
export interface TdProblem {
  readonly pointer: string;
  readonly problem: string;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The problems that the schema misses. Names need to be unique within `properties`, `actions` and `events` each
 * (TD 1.1, section 6.3.3), which a parsed TD always is: for a TD as text there is `duplicateKeys`.
 */
export const inconsistencies = (td: Json): TdProblem[] => [
  ...modelProblems(td),
  ...securityProblems(td),
  ...linkProblems(td),
  ...affordanceKinds.flatMap((kind) => affordanceProblems(td, kind)),
];

/** TD 1.1, section 9: what only Thing Models may have. */
const modelProblems = (td: Json): TdProblem[] => {
  const problems: TdProblem[] = [];
  if (listOf(td['@type']).includes('tm:ThingModel'))
    problems.push({ pointer: '/@type', problem: 'says that this is a Thing Model, not a Thing Description' });
  const visit = (value: unknown, pointer: string): void => {
    if (typeof value === 'string') {
      if (hasPlaceholder(value))
        problems.push({ pointer, problem: 'has a placeholder {{...}} of a Thing Model' });
    } else if (Array.isArray(value))
      for (const [i, part] of value.entries()) visit(part, pointer + pointerStep(i));
    else if (isPlainObject(value))
      for (const [name, member] of Object.entries(value)) {
        const at = pointer + pointerStep(name);
        if (name === 'tm:ref' || name === 'tm:optional' || name === 'tm:required')
          problems.push({ pointer: at, problem: 'is for Thing Models only' });
        else if (hasPlaceholder(name))
          problems.push({ pointer: at, problem: 'has a placeholder {{...}} of a Thing Model' });
        else visit(member, at);
      }
  };
  visit(td, '');
  return problems;
};

const hasPlaceholder = (text: string): boolean => {
  const start = text.indexOf('{{');
  return start >= 0 && text.indexOf('}}', start + 2) > start + 2;
};

/** TD 1.1, section 5.3.1.1: security names are defined in `securityDefinitions`, and each is named once. */
const securityProblems = (td: Json): TdProblem[] => {
  const definitions = isPlainObject(td.securityDefinitions) ? td.securityDefinitions : {};
  const problems: TdProblem[] = [];
  const check = (names: unknown, pointer: string): void => {
    const seen = new Set<string>();
    for (const name of listOf(names)) {
      if (typeof name !== 'string') continue;
      if (!Object.hasOwn(definitions, name))
        problems.push({
          pointer,
          problem: `names the security "${name}", which securityDefinitions does not define`,
        });
      if (seen.has(name)) problems.push({ pointer, problem: `names the security "${name}" twice` });
      seen.add(name);
    }
  };
  const checkForms = (holder: unknown, pointer: string): void => {
    if (!isPlainObject(holder) || !Array.isArray(holder.forms)) return;
    holder.forms.forEach((form: unknown, i) => {
      if (isPlainObject(form)) check(form.security, `${pointer}/forms/${i}/security`);
    });
  };
  check(td.security, '/security');
  for (const [name, scheme] of Object.entries(definitions))
    if (isPlainObject(scheme) && scheme.scheme === 'combo')
      for (const how of ['oneOf', 'allOf'])
        check(scheme[how], `/securityDefinitions${pointerStep(name)}/${how}`);
  checkForms(td, '');
  for (const kind of affordanceKinds)
    if (isPlainObject(td[kind]))
      for (const [name, affordance] of Object.entries(td[kind]))
        checkForms(affordance, `/${kind}${pointerStep(name)}`);
  return problems;
};

/** TD 1.1, section 9.2: a TD links to at most one Thing Model that it is an instance of. */
const linkProblems = (td: Json): TdProblem[] => {
  if (!Array.isArray(td.links)) return [];
  const typeLinks = td.links.flatMap((link: unknown, i) =>
    isPlainObject(link) && link.rel === 'type' ? [i] : [],
  );
  return typeLinks
    .slice(1)
    .map((i) => ({ pointer: `/links/${i}`, problem: 'is a second link with rel "type"' }));
};

const affordanceProblems = (td: Json, kind: AffordanceKind): TdProblem[] => {
  if (!isPlainObject(td[kind])) return [];
  return Object.entries(td[kind]).flatMap(([name, affordance]) => {
    const pointer = `/${kind}${pointerStep(name)}`;
    if (name === '') return [{ pointer, problem: 'has an empty name' }];
    if (isPlainObject(affordance) && affordance.readOnly === true && affordance.writeOnly === true)
      return [{ pointer, problem: 'is both readOnly and writeOnly' }];
    return [];
  });
};

const listOf = (value: unknown): unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];
