/**
 * What a script hands over, as plain data: what JSON would make of it, with bytes kept where they are the whole value.
 * Relies on `thing/interaction-output.ts` for inputs that are functions or promises; dates and instances become JSON.
 */
import { AlthingError } from '../../core/errors.ts';
import { bytesIn, resolveInput } from '../../thing/interaction-output.ts';

const maxDepth = 60;

/** The value as plain data; members that JSON leaves out are left out. Throws `value-invalid` (depth, bigint). */
export const jsonValue = (value: unknown, depth = 0): unknown => {
  if (depth > maxDepth)
    throw new AlthingError(
      'value-invalid',
      `The value is nested deeper than ${maxDepth}, or contains itself.`,
    );
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      // JSON has no negative zero.
      return Number.isFinite(value) ? value + 0 : null;
    case 'bigint':
      throw new AlthingError('value-invalid', 'A bigint is no JSON value: use a number or a string.');
    case 'object':
      return value === null ? null : jsonObject(value, depth);
    default:
      return undefined;
  }
};

const jsonObject = (value: object, depth: number): unknown => {
  const bytes = bytesIn(value);
  if (bytes && depth > 0)
    throw new AlthingError(
      'value-invalid',
      'Bytes are a value on their own, of an affordance with a binary contentType.',
    );
  if (bytes) return bytes;
  if (Array.isArray(value)) return value.map((item) => jsonValue(item, depth + 1) ?? null);
  if (value instanceof String || value instanceof Number || value instanceof Boolean) return value.valueOf();
  if (value instanceof Map) return jsonObject(Object.fromEntries(value), depth);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return jsonValue(toJSON.call(value), depth + 1);
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    const json = jsonValue(member, depth + 1);
    if (json !== undefined) setOwn(out, key, json);
  }
  return out;
};

/** Assigning `__proto__` would set the prototype instead of a member. */
const setOwn = (target: Record<string, unknown>, key: string, value: unknown): void => {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
  else target[key] = value;
};

/** What a handler returned or a caller passed (InteractionInput), as plain data. Throws what its functions throw. */
export const jsonInput = async (input: unknown): Promise<unknown> => jsonValue(await resolveInput(input));
