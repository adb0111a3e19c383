/**
 * What a `shadow` record holds: the last known values of a Thing's properties, within bounds, with the time of each.
 * Relies on the codec for what can be stored at all; whatever a record of another peer says is checked here.
 */
import { utf8 } from '../core/bytes.ts';
import { encode } from '../core/codec.ts';
import { recordValue, type SignedRecord } from '../replica/record.ts';
import { isPlainObject } from '../thing/plain-value.ts';
import type { ThingDescription } from '../thing/thing-description.ts';

/** Largest value, as CBOR; bytes have no place at all. */
const maxValueBytes = 1024;
/** All values together, with their names and times. */
const maxShadowBytes = 16 * 1024;
/** Names of what was left out: so many, and so many bytes of them. */
const maxOmitted = 64;
const maxOmittedBytes = 4096;
/** A list's head and a time. */
const entryBytes = 10;
/** The last time that a Date can be. */
const maxTimeMs = 8.64e15;

/** A value that a device gave, and when it came to be known or changed; `text` tells lists and objects apart. */
export interface KnownValue {
  readonly value: unknown;
  readonly timeMs: number;
  readonly text?: string;
  /** As CBOR. */
  readonly sizeBytes: number;
  /** It is known that there is a value, but it does not fit into a record. */
  readonly isOmitted: boolean;
}

/** A shadow as a record has it. Times are milliseconds since 1970. */
export interface ShadowValue {
  readonly properties: Readonly<Record<string, readonly [value: unknown, timeMs: number]>>;
  /** Readable properties whose values do not fit. */
  readonly omitted?: readonly string[];
}

/** A value as a shadow keeps it. */
export const knownValue = (value: unknown, timeMs: number): KnownValue => {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null)
    return { value, timeMs, sizeBytes: 9, isOmitted: false };
  const omitted = { value: undefined, timeMs, sizeBytes: 0, isOmitted: true };
  if (!isSmall(value)) return omitted;
  let sizeBytes: number;
  try {
    sizeBytes = encode(value).length;
  } catch {
    // Text with half a character: the session may carry it as it is, a record cannot.
    return omitted;
  }
  if (sizeBytes > maxValueBytes) return omitted;
  return {
    value,
    timeMs,
    sizeBytes,
    isOmitted: false,
    ...(typeof value === 'object' && { text: JSON.stringify(value) }),
  };
};

/** Whether two known values are the same one: primitives by `===`, lists and objects by their JSON. */
export const isSameValue = (a: KnownValue, b: KnownValue): boolean =>
  a.isOmitted === b.isOmitted && (a.text === undefined ? a.value === b.value : a.text === b.text);

/** The record's value: what the description still names, in its order, until it is full. */
export const shadowValue = (
  known: ReadonlyMap<string, KnownValue>,
  td: Pick<ThingDescription, 'properties'>,
): ShadowValue => {
  const properties: [string, [unknown, number]][] = [];
  const omitted: string[] = [];
  let [left, leftForNames] = [maxShadowBytes, maxOmittedBytes];
  for (const name of Object.keys(td.properties ?? {})) {
    const one = known.get(name);
    // A name with half a character is one that no record can carry.
    if (!one || !name.isWellFormed()) continue;
    const nameBytes = utf8(name).length;
    const needed = one.sizeBytes + nameBytes + entryBytes;
    if (!one.isOmitted && needed <= left) {
      left -= needed;
      properties.push([name, [one.value, one.timeMs]]);
    } else if (omitted.length < maxOmitted && nameBytes <= leftForNames) {
      leftForNames -= nameBytes;
      omitted.push(name);
    }
  }
  return { properties: Object.fromEntries(properties), ...(omitted.length > 0 && { omitted }) };
};

/** What a record says, with everything left out that has not the form; nothing of a record that is no shadow. */
export const readShadow = (
  record: SignedRecord,
): { known: Map<string, KnownValue>; omitted: readonly string[] } => {
  const said = recordValue(record) as { properties?: unknown; omitted?: unknown } | null;
  const known = new Map<string, KnownValue>();
  for (const [name, entry] of isPlainObject(said?.properties) ? Object.entries(said.properties) : []) {
    if (!Array.isArray(entry) || entry.length !== 2 || !isTime(entry[1])) continue;
    const value = knownValue(entry[0], entry[1]);
    if (!value.isOmitted) known.set(name, value);
  }
  const names: readonly unknown[] = Array.isArray(said?.omitted) ? said.omitted.slice(0, maxOmitted) : [];
  return { known, omitted: names.filter((name) => typeof name === 'string') };
};

const isTime = (time: unknown): time is number =>
  typeof time === 'number' && Number.isInteger(time) && time >= 0 && time <= maxTimeMs;

/** Whether a value may fit; looks no further than it has to, since values may have a megabyte. */
const isSmall = (value: unknown): boolean => {
  let left = maxValueBytes;
  const fits = (part: unknown): boolean => {
    if (part instanceof Uint8Array) return false;
    left -= typeof part === 'string' ? part.length + 1 : 1;
    if (left < 0) return false;
    if (Array.isArray(part)) return part.length <= left && part.every(fits);
    if (typeof part !== 'object' || part === null) return true;
    for (const name in part) if (!fits(name) || !fits((part as Record<string, unknown>)[name])) return false;
    return true;
  };
  return fits(value);
};
