/**
 * Plain data: what may cross the border of a Thing (JSON's values), copied so that neither side can change the other's.
 * Relies on nothing but the error class; schemas are checked elsewhere, on what this lets through.
 */
import { AlthingError } from '../core/errors.ts';

/** Deepest nesting of a value; leaves room for the frames and records around it (the codec takes 64). */
const maxDepth = 50;
/** Largest value, in characters of JSON: a frame carries no more. */
const maxSize = 1024 * 1024;

/** A copy, and roughly how many characters it has as JSON. */
export interface MeasuredCopy {
  readonly value: unknown;
  readonly size: number;
}

/**
 * A deep copy of JSON data: null, booleans, finite numbers, strings, arrays and plain objects. Members that are
 * undefined are left out, as JSON does. Throws `value-invalid` with a JSON pointer for everything else (NaN,
 * functions, class instances, values that contain themselves), `value-too-large` above 1 MiB.
 */
export const copyPlain = (value: unknown): unknown => {
  // Most values of devices are scalars: nothing to copy or to measure.
  if (typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  return measuredCopy(value).value;
};

/** As `copyPlain`, with the size of the copy. */
export const measuredCopy = (value: unknown): MeasuredCopy => {
  const copier = new Copier();
  try {
    return { value: copier.copy(value), size: copier.size };
  } catch (thrown) {
    if (thrown instanceof AlthingError) throw thrown;
    // A getter or a proxy in the value threw.
    throw copier.refuse(`cannot be read: ${String(thrown)}`, thrown);
  }
};

/** Whether it is a plain object: `{}` as JSON has it, also from another realm. */
export const isPlainObject = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
};

/** A member name as one step of a JSON pointer (RFC 6901). */
export const pointerStep = (name: string | number): string =>
  `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;

class Copier {
  size = 0;
  readonly #path: (string | number)[] = [];

  copy(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        this.#grow(value.length + 2);
        return value;
      case 'number':
        if (!Number.isFinite(value)) throw this.refuse(`is ${value}, which JSON does not have`);
        this.#grow(8);
        return value;
      case 'boolean':
        this.#grow(5);
        return value;
      case 'object':
        if (value === null) {
          this.#grow(4);
          return null;
        }
        return this.#copyObject(value);
      default:
        throw this.refuse(`is ${article(typeof value)}, which is not plain data`);
    }
  }

  refuse(problem: string, cause?: unknown): AlthingError {
    const pointer = this.#path.map(pointerStep).join('').slice(0, 200);
    return new AlthingError('value-invalid', `${pointer === '' ? 'The value' : pointer} ${problem}.`, {
      cause,
    });
  }

  #copyObject(value: object): unknown {
    if (this.#path.length >= maxDepth)
      throw this.refuse(`is nested deeper than ${maxDepth}, or contains itself`);
    this.#grow(2);
    if (Array.isArray(value)) {
      const copies: unknown[] = [];
      // Indexed, so that holes are seen and refused.
      for (let i = 0; i < value.length; i++) copies.push(this.#copyMember(i, value[i]));
      return copies;
    }
    if (!isPlainObject(value)) {
      const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
      throw this.refuse(`is an instance of ${String(name)}, which is not plain data`);
    }
    const copy: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      const member = value[key];
      if (member === undefined) continue;
      this.#grow(key.length + 3);
      const copied = this.#copyMember(key, member);
      // Assigning `__proto__` would set the prototype instead of a member.
      if (key === '__proto__')
        Object.defineProperty(copy, key, {
          value: copied,
          enumerable: true,
          writable: true,
          configurable: true,
        });
      else copy[key] = copied;
    }
    return copy;
  }

  #copyMember(step: string | number, member: unknown): unknown {
    this.#path.push(step);
    const copy = this.copy(member);
    this.#path.pop();
    this.#grow(1);
    return copy;
  }

  #grow(characters: number): void {
    this.size += characters;
    if (this.size > maxSize)
      throw new AlthingError('value-too-large', `The value is larger than ${maxSize} characters of JSON.`);
  }
}

const article = (type: string): string => (type === 'undefined' ? type : `a ${type}`);
