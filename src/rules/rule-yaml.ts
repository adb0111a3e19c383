/**
 * Rules in YAML 1.2, as people write them, and back.
 * Relies on `yaml` for the text and its positions, on `rule-shape.ts` for what may stand in it.
 *
 * A draft is a rule whose Things and peers still have names; `resolve.ts` makes records of drafts.
 */
import {
  type Document,
  isMap,
  isScalar,
  LineCounter,
  type ParsedNode,
  parseAllDocuments,
  stringify,
} from 'yaml';
import { AlthingError } from '../core/errors.ts';
import { readExpression, renameUses } from './expression-syntax.ts';
import { type Rule, repeatedTriggerId, unresolvedName } from './rule.ts';
import { eachExpression, mapReferences } from './rule-references.ts';
import { ruleShape } from './rule-shape.ts';
import { cronProblem } from './schedule.ts';
import { readShape, type ShapePath, type ShapeProblem, writeShape } from './shape.ts';

/** Something wrong at a place of the text; line and column count from 1. */
export interface RuleProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A rule as written. `locate` gives the place of a part of it; `offset` is one within an expression there. */
export interface RuleDraft {
  readonly rule: Rule;
  /** Whether the text says `enabled`; without it a new rule is enabled, and one that is there stays as it is. */
  readonly saysEnabled: boolean;
  locate(path: ShapePath, offset?: number): { readonly line: number; readonly column: number };
}

const maxTextLength = 256 * 1024;
const maxRules = 100;
const maxProblems = 20;

/**
 * The rules of a text, which are separated by `---`. Throws `rule-invalid`; `details.problems` lists what is wrong
 * (`RuleProblem[]`), at most 20.
 */
export const readRules = (text: string): RuleDraft[] => {
  if (text.length > maxTextLength)
    throw rulesInvalid([{ line: 1, column: 1, message: 'the text is larger than 256 KiB' }]);
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const problems: RuleProblem[] = [];
  if (!Array.isArray(documents) || documents.length === 0)
    throw rulesInvalid([{ line: 1, column: 1, message: 'there is no rule in it' }]);
  if (documents.length > maxRules)
    throw rulesInvalid([{ line: 1, column: 1, message: `there are more than ${maxRules} rules in it` }]);
  const drafts = documents.map((document) => {
    const found: RuleProblem[] = [];
    const draft = readDocument(document, lines, found);
    problems.push(...found);
    return draft;
  });
  if (problems.length > 0) throw rulesInvalid(problems);
  return drafts as RuleDraft[];
};

/** `rule-invalid` with problems at their places. */
export const rulesInvalid = (problems: readonly RuleProblem[]): AlthingError => {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return new AlthingError(
    'rule-invalid',
    `Line ${first!.line}, column ${first!.column}: ${first!.message}.${more}`,
    {
      details: { problems: problems.slice(0, maxProblems) },
    },
  );
};

type Yaml = Document.Parsed<ParsedNode>;

const readDocument = (document: Yaml, lines: LineCounter, problems: RuleProblem[]): RuleDraft | undefined => {
  const at = (offset: number, message: string): void => {
    const { line, col } = lines.linePos(offset);
    problems.push({ line: Math.max(line, 1), column: Math.max(col, 1), message });
  };
  for (const error of document.errors)
    at(error.pos[0], `${firstLine(error.message)}; if this is an expression, quote it`);
  for (const warning of document.warnings)
    at(warning.pos[0], `${firstLine(warning.message)}: what begins with ! is a tag to YAML; quote it`);
  if (problems.length > 0) return undefined;
  let plain: unknown;
  try {
    plain = document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    at(0, `aliases (*name) are not for rules: ${firstLine((error as Error).message)}`);
    return undefined;
  }
  const locate = (path: ShapePath, offset = 0): { line: number; column: number } => {
    const { line, col } = lines.linePos(offsetOf(document, path, offset));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const found: ShapeProblem[] = [];
  const read = readShape(ruleShape, plain, [], found) as Partial<Rule>;
  if (found.length > 0) {
    for (const { path, message, key } of found) {
      const words = `${path.length === 0 ? 'the rule' : `"${path.filter((part) => typeof part === 'string').at(-1)}"`} ${message}`;
      problems.push({
        ...(key ? keyPlace(document, path, lines) : locate(path)),
        message: key ? message : words,
      });
    }
    return undefined;
  }
  const rule: Rule = {
    ...(read as Rule),
    enabled: read.enabled ?? true,
    mode: read.mode ?? 'single',
    conditions: read.conditions ?? [],
  };
  checkTexts(rule, locate, problems);
  return { rule, saysEnabled: read.enabled !== undefined, locate };
};

const firstLine = (message: string): string => message.split('\n')[0]!.replace(/\.$/, '');

/** What only the texts themselves can tell: expressions and cron patterns. */
const checkTexts = (rule: Rule, locate: RuleDraft['locate'], problems: RuleProblem[]): void => {
  eachExpression(rule, (text, path) => {
    try {
      readExpression(text);
    } catch (error) {
      if (!(error instanceof AlthingError)) throw error;
      problems.push({
        ...locate(path, (error.details?.at as number | undefined) ?? 0),
        message: `${error.message.replace(/\.$/, '')} (an expression with ": ", " #" or quotes at its start must be quoted)`,
      });
    }
  });
  const repeated = repeatedTriggerId(rule.triggers);
  if (repeated !== undefined)
    problems.push({
      ...locate(['triggers', repeated, 'id']),
      message: `another trigger has the id "${rule.triggers[repeated]!.id}": give each its own`,
    });
  for (const [index, trigger] of rule.triggers.entries()) {
    if (!('time' in trigger && 'cron' in trigger.time)) continue;
    const message = cronProblem(trigger.time.cron);
    if (message)
      problems.push({ ...locate(['triggers', index, 'time', 'cron']), message: message.replace(/\.$/, '') });
  }
};

const offsetOf = (document: Yaml, path: ShapePath, offset: number): number => {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = (node as { range?: readonly number[] } | null | undefined)?.range;
    if (!range) continue;
    if (length < path.length || offset === 0 || !isScalar(node)) return range[0]!;
    // Near enough where escapes or folded lines come before it.
    return range[0]! + (node.type === 'PLAIN' ? 0 : 1) + offset;
  }
  return 0;
};

const keyPlace = (document: Yaml, path: ShapePath, lines: LineCounter): { line: number; column: number } => {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const pair = isMap(parent)
    ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(path.at(-1)))
    : undefined;
  const range = (pair?.key as { range?: readonly number[] } | undefined)?.range;
  const { line, col } = lines.linePos(range?.[0] ?? offsetOf(document, path, 0));
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
};

/**
 * A rule as YAML, which reads back as the same rule. `nameOf` gives the name of a Thing or peer by its id; without one
 * the id stands there.
 */
export const writeRule = (
  rule: Rule,
  nameOf: (id: string) => string | undefined = () => undefined,
): string => {
  const shown = (reference: string): string => unresolvedName(reference) ?? nameOf(reference) ?? reference;
  const named = mapReferences(rule, {
    thing: shown,
    peer: shown,
    expression: (text) =>
      renameUses(text, ({ use }) =>
        use.kind === 'property' ? shown(use.thing) : use.kind === 'online' ? shown(use.peer) : undefined,
      ),
  });
  return stringify(writeShape(ruleShape, named), {
    version: '1.2',
    lineWidth: 110,
    // What occurs twice is written twice: the reader takes no aliases.
    aliasDuplicateObjects: false,
  });
};
