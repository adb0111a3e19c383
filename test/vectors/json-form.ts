/**
 * How the test vectors write what JSON has no form for: byte strings as {"hex": "..."}.
 * Relies on no map of the protocol having the one key "hex".
 */
import { fromHex, toHex } from '../../src/core/bytes.ts';

/** A value as the vectors' files hold it; undefined members are left out. */
export const toJson = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return { hex: toHex(value) };
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, toJson(member)]));
};

/** The value that the files hold. */
export const fromJson = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== 'object' || value === null) return value;
  const { hex, ...rest } = value as { hex?: unknown };
  if (typeof hex === 'string' && Object.keys(rest).length === 0) return fromHex(hex);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, fromJson(member)]));
};
