/**
 * Reads a CEL expression without running it: what it refers to, where in the text, and whether it keeps the bounds.
 * Relies on the parser of `@marcbachmann/cel-js`, whose tree carries the position of every part.
 *
 * Bounds: 2000 characters, 300 parts, 24 levels, no comprehension inside another, no regular expressions, no function
 * that is not in the list. So the cost of one evaluation is the number of parts times the size of the values.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { AlthingError } from '../core/errors.ts';
import { ruleLimits } from './rule.ts';

/** Something outside the expression that must be known before it can be evaluated. */
export type Use =
  | { readonly kind: 'property'; readonly thing: string; readonly property: string }
  | { readonly kind: 'online'; readonly peer: string }
  | { readonly kind: 'value'; readonly name: string };

/** A use with its place in the text: of the whole use, and of the string that names the Thing, peer or value. */
export interface PlacedUse {
  readonly use: Use;
  readonly start: number;
  readonly end: number;
  readonly nameStart: number;
  readonly nameEnd: number;
}

/** A replacement of part of a text. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What an expression refers to. `numbers`: what to change so that whole numbers are numbers like all others. */
export interface ExpressionSyntax {
  readonly uses: readonly PlacedUse[];
  readonly numbers: readonly Edit[];
  /** Which of `expressionNames` it uses. */
  readonly names: ReadonlySet<string>;
}

/** Names that expressions may use, besides those that their own comprehensions bind. */
export const expressionNames = ['trigger', 'now', 'hour', 'minute', 'weekday', 'date', 'time'] as const;

const functions = new Set([
  ...['known', 'has', 'size', 'string', 'double', 'bool', 'timestamp', 'duration', 'type', 'dyn'],
  ...['min', 'max', 'round', 'floor', 'abs'],
]);
const methods = new Set([
  ...['size', 'contains', 'startsWith', 'endsWith', 'lowerAscii', 'upperAscii', 'trim', 'indexOf', 'join'],
  ...['getFullYear', 'getMonth', 'getDate', 'getDayOfWeek', 'getHours', 'getMinutes', 'getSeconds'],
]);
const counting = new Set(
  [...methods].filter((name) => name === 'size' || name === 'indexOf' || name.startsWith('get')),
);
const comprehensions = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

const parser = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 300, maxDepth: 24, maxListElements: 100, maxMapEntries: 50, maxCallArguments: 8 },
});

/** An `AlthingError` about an expression; `details.at` is the offset in its text. */
export const expressionError = (message: string, at: number, cause?: unknown): AlthingError =>
  new AlthingError('rule-invalid', message, { details: { at }, cause });

/** Reads an expression. Throws `rule-invalid` with `details.at`, the offset of what is wrong. */
export const readExpression = (text: string): ExpressionSyntax => {
  if (text.length > ruleLimits.expressionLength)
    throw expressionError(`The expression is longer than ${ruleLimits.expressionLength} characters.`, 0);
  let tree: ASTNode;
  try {
    tree = parser.parse(text).ast;
  } catch (error) {
    const { summary, range } = error as { summary?: string; range?: { start: number } };
    throw expressionError(
      `The expression does not read as CEL: ${summary ?? (error as Error).message}.`,
      range?.start ?? 0,
      error,
    );
  }
  const reader = new Reader();
  reader.walk(tree);
  return reader;
};

/**
 * The expression with the names of Things and peers replaced. `rename` gets the use as written and gives the new name,
 * or undefined to leave it. Throws what `readExpression` throws.
 */
export const renameUses = (text: string, rename: (placed: PlacedUse) => string | undefined): string => {
  const edits: Edit[] = [];
  for (const placed of readExpression(text).uses) {
    const name = rename(placed);
    if (name !== undefined)
      edits.push({ start: placed.nameStart, end: placed.nameEnd, text: JSON.stringify(name) });
  }
  return applyEdits(text, edits);
};

/** The text with each part replaced; the parts do not overlap. */
export const applyEdits = (text: string, edits: readonly Edit[]): string => {
  let result = '';
  let at = 0;
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    result += text.slice(at, edit.start) + edit.text;
    at = edit.end;
  }
  return result + text.slice(at);
};

/** The offset in the original text of an offset in the edited one. */
export const originalOffset = (edits: readonly Edit[], offset: number): number => {
  let shift = 0;
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    if (edit.start + shift >= offset) break;
    if (edit.start + shift + edit.text.length > offset) return edit.start;
    shift += edit.text.length - (edit.end - edit.start);
  }
  return offset - shift;
};

class Reader implements ExpressionSyntax {
  readonly uses: PlacedUse[] = [];
  readonly numbers: Edit[] = [];
  readonly names = new Set<string>();
  readonly #bound: string[] = [];
  /** How many indexes of lists are around: there whole numbers stay what CEL wants. */
  #indexes = 0;

  walk(node: ASTNode): void {
    switch (node.op) {
      case 'value':
        if (typeof node.args === 'bigint') {
          if (this.#indexes === 0) this.numbers.push({ ...node.range, text: `${node.args}.0` });
        }
        if (typeof node.args === 'object' && node.args !== null)
          throw this.#refuse(node, 'uses bytes or an unsigned number, which Things do not have');
        return;
      case 'id':
        if (this.#bound.includes(node.args)) return;
        if (!(expressionNames as readonly string[]).includes(node.args))
          throw this.#refuse(
            node,
            `uses the unknown name ${node.args}: a property is thing("lamp").on, a text stands in quotes`,
          );
        this.names.add(node.args);
        return;
      case '.':
        if (this.#property(node, node.args[0], node.args[1])) return;
        this.walk(node.args[0]);
        return;
      case '[]': {
        const [object, index] = node.args;
        if (
          index.op === 'value' &&
          typeof index.args === 'string' &&
          this.#property(node, object, index.args)
        )
          return;
        this.walk(object);
        this.#indexes += 1;
        this.walk(index);
        this.#indexes -= 1;
        return;
      }
      case 'call':
        this.#call(node, node.args[0], node.args[1]);
        return;
      case 'rcall':
        this.#method(node, node.args[0], node.args[1], node.args[2]);
        return;
      case 'list':
        for (const part of node.args) this.walk(part);
        return;
      case 'map':
        for (const [key, value] of node.args) {
          this.walk(key);
          this.walk(value);
        }
        return;
      case '!_':
      case '-_':
        this.walk(node.args);
        return;
      case '.?':
      case '[?]':
        throw this.#refuse(node, 'uses optional access: test with known(...) or has(...)');
      default:
        for (const part of node.args) this.walk(part);
    }
  }

  /** Takes `thing("x").property`, however the property is written; false where the object is something else. */
  #property(node: ASTNode, object: ASTNode, property: string): boolean {
    if (object.op !== 'call' || object.args[0] !== 'thing') return false;
    const { name, nameNode } = this.#literal(object, object.args[1], 'thing');
    this.#use(node, nameNode, { kind: 'property', thing: name, property });
    return true;
  }

  #call(node: ASTNode, name: string, args: readonly ASTNode[]): void {
    if (name === 'thing')
      throw this.#refuse(node, 'names a Thing without a property: write thing("lamp").on');
    if (name === 'online' || name === 'value') {
      const { name: text, nameNode } = this.#literal(node, args, name);
      this.#use(
        node,
        nameNode,
        name === 'online' ? { kind: 'online', peer: text } : { kind: 'value', name: text },
      );
      return;
    }
    if (!functions.has(name)) throw this.#refuse(node, `calls ${name}(), which there is not`);
    if (name === 'size') this.#asNumber(node);
    for (const part of args) this.walk(part);
  }

  #method(node: ASTNode, name: string, receiver: ASTNode, args: readonly ASTNode[]): void {
    if (name === 'matches')
      throw this.#refuse(
        node,
        'uses matches(): regular expressions can take for ever; use contains, startsWith or endsWith',
      );
    if (counting.has(name)) this.#asNumber(node);
    this.walk(receiver);
    if (!comprehensions.has(name)) {
      if (!methods.has(name)) throw this.#refuse(node, `calls .${name}(), which there is not`);
      for (const part of args) this.walk(part);
      return;
    }
    if (this.#bound.length > 0)
      throw this.#refuse(node, `has .${name}() inside another such call, whose cost would have no bound`);
    const [variable, ...bodies] = args;
    if (variable?.op !== 'id') throw this.#refuse(node, `has .${name}() without a name for the member`);
    this.#bound.push(variable.args);
    for (const part of bodies) this.walk(part);
    this.#bound.pop();
  }

  /** CEL counts in whole numbers and keeps those apart from others; people do not. */
  #asNumber(node: ASTNode): void {
    if (this.#indexes > 0) return;
    const { start, end } = node.range;
    this.numbers.push({ start, end: start, text: 'double(' }, { start: end, end, text: ')' });
  }

  #literal(node: ASTNode, args: readonly ASTNode[], name: string): { name: string; nameNode: ASTNode } {
    const [only] = args;
    if (args.length !== 1 || only?.op !== 'value' || typeof only.args !== 'string' || only.args === '')
      throw this.#refuse(node, `has ${name}() without a text in quotes: what is needed must be seen before`);
    if (only.args.length > 256)
      throw this.#refuse(node, `has a name of more than 256 characters in ${name}()`);
    return { name: only.args, nameNode: only };
  }

  #use(node: ASTNode, nameNode: ASTNode, use: Use): void {
    const { start, end } = node.range;
    this.uses.push({ use, start, end, nameStart: nameNode.range.start, nameEnd: nameNode.range.end });
  }

  #refuse(node: ASTNode, problem: string): AlthingError {
    return expressionError(`The expression ${problem}.`, node.range.start);
  }
}
