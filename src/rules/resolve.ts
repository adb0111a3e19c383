/**
 * From a rule as written to the rule as its record holds it: names become ids, and all is checked against the TDs.
 * Relies on a lookup passed in, which asks the directory.
 *
 * A Thing or peer that is not known yet is a warning, and stands in the record as `name:<as written>`. Peers that run
 * rules treat it as away and never look the name up themselves, or a device could take a name to be commanded; an
 * admin's peer calls `resolveAgain` when Things come, and signs the rule anew where that changed it.
 */
import { AlthingError } from '../core/errors.ts';
import type { DataSchema, ThingDescription } from '../thing/thing-description.ts';
import { compileExpression, type ExpressionType, typeOfSchema } from './expression.ts';
import { readExpression, renameUses, type Use } from './expression-syntax.ts';
import {
  allSteps,
  type Operand,
  type Rule,
  ruleProblem,
  type Step,
  unresolvedMark,
  unresolvedName,
} from './rule.ts';
import { eachExpression, mapReferences } from './rule-references.ts';
import { type RuleDraft, type RuleProblem, rulesInvalid } from './rule-yaml.ts';
import { fitProblem } from './schema-fit.ts';
import type { ShapePath } from './shape.ts';

/** What a name leads to. `candidates`: ids or `peer/name`, to show. */
export type Found =
  | { readonly kind: 'found'; readonly id: string }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'ambiguous'; readonly candidates: readonly string[] };

/** The directory as the resolution needs it: names (labels first, as everywhere), TDs and scenes. */
export interface RuleLookup {
  /** By id, unique title or label, local name, or `peer/name`. */
  thing(name: string): Found;
  peer(name: string): Found;
  /** The TD of a Thing id, where it is here. */
  td(id: string): ThingDescription | undefined;
  /** Whether there is a scene of this name; who does not say knows of none. */
  hasScene?(name: string): boolean;
}

/** A rule that can be a record, and what its author should know. */
export interface ResolvedRule {
  readonly rule: Rule;
  readonly warnings: readonly RuleProblem[];
}

/** Resolves and checks a draft. Throws `rule-invalid` with `details.problems`, each with line and column. */
export const resolveRule = (draft: Pick<RuleDraft, 'rule' | 'locate'>, lookup: RuleLookup): ResolvedRule => {
  const resolver = new Resolver(draft, lookup);
  const rule = resolver.resolve();
  if (resolver.problems.length > 0) throw rulesInvalid(resolver.problems);
  return { rule, warnings: resolver.warnings };
};

/** A record's rule with those of its `name:` references resolved that can be by now; undefined where none can. */
export const resolveAgain = (rule: Rule, lookup: RuleLookup): ResolvedRule | undefined => {
  const { rule: resolved, warnings } = resolveRule({ rule, locate: () => ({ line: 1, column: 1 }) }, lookup);
  return JSON.stringify(resolved) === JSON.stringify(rule) ? undefined : { rule: resolved, warnings };
};

/** The `name:` references of a rule, as written; empty for a rule that can run in full. */
export const unresolvedOf = (rule: Rule): string[] => {
  const names = new Set<string>();
  const note = (reference: string): string => {
    const name = unresolvedName(reference);
    if (name !== undefined) names.add(name);
    return reference;
  };
  mapReferences(rule, {
    thing: note,
    peer: note,
    expression: (text) => {
      for (const { use } of readExpression(text).uses)
        if (use.kind !== 'value') note(use.kind === 'property' ? use.thing : use.peer);
      return text;
    },
  });
  return [...names];
};

class Resolver {
  readonly problems: RuleProblem[] = [];
  readonly warnings: RuleProblem[] = [];
  readonly #draft: Pick<RuleDraft, 'rule' | 'locate'>;
  readonly #lookup: RuleLookup;

  constructor(draft: Pick<RuleDraft, 'rule' | 'locate'>, lookup: RuleLookup) {
    this.#draft = draft;
    this.#lookup = lookup;
  }

  resolve(): Rule {
    const rule = mapReferences(this.#draft.rule, {
      thing: (reference, path) => this.#reference(reference, 'Thing', path),
      peer: (reference, path) => this.#reference(reference, 'peer', path),
      expression: (text, path) =>
        renameUses(text, ({ use, nameStart }) => {
          if (use.kind === 'property') return this.#reference(use.thing, 'Thing', path, nameStart);
          return use.kind === 'online' ? this.#reference(use.peer, 'peer', path, nameStart) : undefined;
        }),
    });
    if (this.problems.length > 0) return rule;
    this.#checkTriggers(rule);
    this.#checkSteps(rule.steps, ['steps']);
    this.#checkExpressions(rule);
    if (this.problems.length > 0) return rule;
    const problem = ruleProblem(rule);
    if (problem !== undefined) this.#problem([], `the rule ${problem}`);
    return rule;
  }

  #problem(path: ShapePath, message: string, offset = 0): void {
    this.problems.push({ ...this.#draft.locate(path, offset), message });
  }

  #reference(reference: string, kind: 'Thing' | 'peer', path: ShapePath, offset = 0): string {
    const name = unresolvedName(reference) ?? reference;
    const found = kind === 'Thing' ? this.#lookup.thing(name) : this.#lookup.peer(name);
    if (found.kind === 'found') return found.id;
    if (found.kind === 'ambiguous') {
      this.#problem(
        path,
        `"${name}" may be ${found.candidates.slice(0, 8).join(' or ')}: write peer/name or the id`,
        offset,
      );
      return reference;
    }
    const message = `no ${kind} "${name}" is known yet: the rule does without it until there is one`;
    this.warnings.push({ ...this.#draft.locate(path, offset), message });
    // An id of a Thing that is not here yet needs no name to be found later.
    return /^urn:|^z6Mk/.test(name) ? name : `${unresolvedMark}${name}`;
  }

  #checkTriggers(rule: Rule): void {
    for (const [index, trigger] of rule.triggers.entries()) {
      const path = ['triggers', index];
      if ('event' in trigger)
        this.#affordance(trigger.event.thing, 'events', trigger.event.name, [...path, 'event', 'name']);
      if (!('property' in trigger)) continue;
      const { property } = trigger;
      const schema = this.#property(property.thing, property.name, 'read', [...path, 'property', 'name']);
      if (!schema) continue;
      for (const test of ['above', 'below'] as const)
        if (property[test] !== undefined && typeOfSchema(schema) !== 'double' && schema.type !== undefined)
          this.#problem(
            [...path, 'property', test],
            `"${property.name}" is no number: use becomes or changes`,
          );
      if (!Object.hasOwn(property, 'becomes')) continue;
      const problem = fitProblem(schema, property.becomes);
      if (problem) this.#problem([...path, 'property', 'becomes'], `"becomes" ${problem}`);
    }
  }

  #checkSteps(steps: readonly Step[], path: ShapePath): void {
    for (const [index, step] of steps.entries()) {
      const here = [...path, index];
      if ('onFailure' in step && typeof step.onFailure === 'object')
        this.#checkSteps(step.onFailure, [...here, 'onFailure']);
      if ('write' in step && step.write.thing !== undefined) {
        const { thing, property, value } = step.write;
        const schema = this.#property(thing, property, 'write', [...here, 'write', 'property']);
        if (schema) this.#checkOperand(schema, value, [...here, 'write', 'value']);
      } else if ('invoke' in step && step.invoke.thing !== undefined) this.#checkInvoke(step, here);
      else if ('scene' in step && this.#lookup.hasScene?.(step.scene) === false)
        this.warnings.push({
          ...this.#draft.locate([...here, 'scene']),
          message: `there is no scene "${step.scene}" yet: the step fails until there is one`,
        });
      else if ('wait' in step && 'event' in step.wait)
        this.#affordance(step.wait.event.thing, 'events', step.wait.event.name, [
          ...here,
          'wait',
          'event',
          'name',
        ]);
      else if ('choose' in step) {
        for (const [branch, { steps: inner }] of step.choose.entries())
          this.#checkSteps(inner, [...here, 'choose', branch, 'steps']);
        if (step.else) this.#checkSteps(step.else, [...here, 'else']);
      } else if ('repeat' in step) this.#checkSteps(step.repeat.steps, [...here, 'repeat', 'steps']);
      else if ('parallel' in step)
        for (const [branch, inner] of step.parallel.entries())
          this.#checkSteps(inner, [...here, 'parallel', branch]);
    }
  }

  #checkInvoke(step: Extract<Step, { readonly invoke: unknown }>, path: ShapePath): void {
    const { thing, action, input } = step.invoke;
    const affordance = this.#affordance(thing!, 'actions', action, [...path, 'invoke', 'action']);
    if (!affordance || input === undefined) return;
    const schema = affordance.input as DataSchema | undefined;
    if (schema) this.#checkOperand(schema, input, [...path, 'invoke', 'input']);
  }

  #checkOperand(schema: DataSchema, operand: Operand, path: ShapePath): void {
    if ('literal' in operand) {
      const problem = fitProblem(schema, operand.literal);
      if (problem) this.#problem(path, `"${path.at(-1)}" ${problem}`);
      return;
    }
    const wanted = typeOfSchema(schema);
    const type = this.#compile(operand.cel, [...path, 'cel']);
    if (wanted && type && type !== 'dyn' && type !== wanted)
      this.#problem(
        [...path, 'cel'],
        `the expression gives ${typeWords[type] ?? type}, not ${typeWords[wanted]}`,
      );
  }

  #checkExpressions(rule: Rule): void {
    eachExpression(rule, (text, path) => {
      if (path.at(-1) === 'cel') {
        // Those of steps on a single Thing were compiled with their schema.
        this.#compile(text, path);
        return;
      }
      const type = this.#compile(text, path);
      if (type && type !== 'bool' && type !== 'dyn')
        this.#problem(path, `the expression gives ${typeWords[type] ?? type}, but must be true or false`);
    });
  }

  readonly #compiled = new Map<string, ExpressionType | undefined>();

  #compile(text: string, path: ShapePath): ExpressionType | undefined {
    const key = JSON.stringify(path);
    if (this.#compiled.has(key)) return this.#compiled.get(key);
    let type: ExpressionType | undefined;
    try {
      for (const { use, nameStart } of readExpression(text).uses)
        if (use.kind === 'property') this.#property(use.thing, use.property, 'read', path, nameStart);
      type = compileExpression(text, (use) => this.#typeOf(use)).type;
    } catch (error) {
      if (!(error instanceof AlthingError)) throw error;
      this.#problem(path, error.message.replace(/\.$/, ''), (error.details?.at as number | undefined) ?? 0);
    }
    this.#compiled.set(key, type);
    return type;
  }

  #typeOf(use: Use): ExpressionType | undefined {
    if (use.kind !== 'property') return undefined;
    const properties = this.#lookup.td(use.thing)?.properties;
    return properties && Object.hasOwn(properties, use.property)
      ? typeOfSchema(properties[use.property])
      : undefined;
  }

  /** The schema of a property that can be used so; undefined where it cannot (which was said) or is not known. */
  #property(
    thing: string,
    name: string,
    use: 'read' | 'write',
    path: ShapePath,
    offset = 0,
  ): DataSchema | undefined {
    const schema = this.#affordance(thing, 'properties', name, path, offset);
    if (use === 'write' && schema?.readOnly === true)
      this.#problem(path, `the property "${name}" can only be read`, offset);
    else if (use === 'read' && schema?.writeOnly === true)
      this.#problem(path, `the property "${name}" can only be written`, offset);
    else return schema;
    return undefined;
  }

  #affordance(
    thing: string,
    kind: 'properties' | 'actions' | 'events',
    name: string,
    path: ShapePath,
    offset = 0,
  ): DataSchema | undefined {
    const td = this.#lookup.td(thing);
    if (!td) return undefined;
    const affordances = td[kind] ?? {};
    if (Object.hasOwn(affordances, name)) return affordances[name] as DataSchema;
    const singular = { properties: 'property', actions: 'action', events: 'event' }[kind];
    const names = Object.keys(affordances).slice(0, 12).join(', ');
    this.#problem(
      path,
      `"${td.title}" has no ${singular} "${name}": it has ${names === '' ? 'none' : names}`,
      offset,
    );
    return undefined;
  }
}

const typeWords: Readonly<Record<string, string>> = {
  bool: 'true or false',
  double: 'a number',
  string: 'a text',
};

/** The scenes that a rule applies, by slug. */
export const scenesOf = (rule: Rule): string[] => [
  ...new Set(allSteps(rule.steps).flatMap((step) => ('scene' in step ? [step.scene] : []))),
];
