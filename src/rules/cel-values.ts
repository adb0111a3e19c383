/**
 * Plain data as CEL has it, and CEL's results as plain data.
 * Relies on bounds of its own, so that the cost of an expression has one: its parts times this size.
 */
import { AlthingError } from '../core/errors.ts';
import { isPlainObject } from '../thing/plain-value.ts';

const maxParts = 5000;
const maxText = 64 * 1024;
const maxResultParts = 20_000;

/** A copy for an expression. Throws `rule-failed` for a value with more than 5000 parts or a text beyond 64 KiB. */
export const toCel = (value: unknown): unknown => new Copier(maxParts).copy(value);

/** An expression's result as plain data. Throws `rule-failed` for what is none: functions, bytes, types. */
export const fromCel = (value: unknown): unknown => new Copier(maxResultParts).copy(value);

class Copier {
  #left: number;

  constructor(parts: number) {
    this.#left = parts;
  }

  copy(value: unknown): unknown {
    this.#left -= 1;
    if (this.#left < 0) throw tooLarge();
    switch (typeof value) {
      case 'string':
        if (value.length > maxText) throw tooLarge();
        return value;
      case 'boolean':
        return value;
      case 'number':
        if (!Number.isFinite(value)) throw failed('The result is no number: something was divided by zero.');
        return value;
      case 'bigint': {
        const number = Number(value);
        if (!Number.isSafeInteger(number)) throw failed('The result is too large for a number.');
        return number;
      }
      case 'object':
        break;
      default:
        throw failed('The result is not plain data.');
    }
    if (value === null) return null;
    if (Array.isArray(value)) return value.map((part) => this.copy(part));
    if (value instanceof Date) return value.toISOString();
    const entries =
      value instanceof Map ? [...value] : isPlainObject(value) ? Object.entries(value) : undefined;
    if (entries === undefined)
      throw failed('The result is not plain data: turn it into a text with string(...).');
    return Object.fromEntries(
      entries.filter(([, part]) => part !== undefined).map(([name, part]) => [String(name), this.copy(part)]),
    );
  }
}

const failed = (message: string): AlthingError => new AlthingError('rule-failed', message);
const tooLarge = (): AlthingError =>
  failed('A value is too large for an expression: at most 5000 parts, 64 KiB of text.');
