/**
 * The rules, scenes, named values and the place of a fabric, as its records have them.
 * Relies on the replica for the winner of each record among those who may write it; each record is read once.
 */
import { stampMs } from '../../core/clock.ts';
import type { PeerId } from '../../core/ids.ts';
import { recordValue, type SignedRecord } from '../../replica/record.ts';
import type { Replica } from '../../replica/replica.ts';
import type { ReplicaChange } from '../../replica/replica-change.ts';
import { parseRule, parseScene, type Rule, type Scene } from '../../rules/rule.ts';
import type { Place } from '../../rules/schedule.ts';

/** A rule of the fabric. */
export interface BookRule {
  /** The slug of its name. */
  readonly key: string;
  readonly rule: Rule;
  readonly author: PeerId;
  /** When it was signed, milliseconds since 1970. */
  readonly changedMs: number;
}

/** A scene of the fabric. */
export interface BookScene {
  readonly key: string;
  readonly scene: Scene;
  readonly author: PeerId;
}

/** What changed, for those who listen. */
export type BookChange = 'rules' | 'scenes' | 'values' | 'place';

/** The key of the `setting` record that says where the fabric is. */
export const placeKey = 'place';

const kinds: Readonly<Record<string, BookChange>> = {
  rule: 'rules',
  scene: 'scenes',
  value: 'values',
  setting: 'place',
};
const maxListeners = 1000;

/** Reads the records of rules. */
export class RuleBook {
  readonly #records: Pick<Replica, 'get' | 'list'>;
  readonly #ownZone: string;
  readonly #rules = new WeakMap<SignedRecord, BookRule | null>();
  readonly #scenes = new WeakMap<SignedRecord, BookScene | null>();
  readonly #values = new WeakMap<SignedRecord, { readonly value: unknown }>();
  readonly #listeners = new Set<(changes: ReadonlySet<BookChange>) => void>();

  /** @param ownZone the IANA zone where the fabric has said none: this machine's */
  constructor(
    records: Pick<Replica, 'get' | 'list'>,
    ownZone: string = Intl.DateTimeFormat().resolvedOptions().timeZone,
  ) {
    this.#records = records;
    this.#ownZone = ownZone;
  }

  /** Every rule of an admin, in the order of their keys. */
  rules(): BookRule[] {
    return this.#records
      .list('rule')
      .map((record) => this.#ruleIn(record))
      .filter((rule) => rule !== null)
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  rule(key: string): BookRule | undefined {
    const record = this.#records.get('rule', key);
    return (record && this.#ruleIn(record)) ?? undefined;
  }

  scenes(): BookScene[] {
    return this.#records
      .list('scene')
      .map((record) => this.#sceneIn(record))
      .filter((scene) => scene !== null)
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  scene(key: string): BookScene | undefined {
    const record = this.#records.get('scene', key);
    return (record && this.#sceneIn(record)) ?? undefined;
  }

  /** A named value; undefined where nobody has set it. */
  value(name: string): unknown {
    const record = this.#records.get('value', name);
    if (!record) return undefined;
    let known = this.#values.get(record);
    if (!known) {
      known = { value: recordValue(record) };
      this.#values.set(record, known);
    }
    return known.value;
  }

  /** Where the fabric is; in this machine's zone where nobody has said. */
  place(): Place {
    const record = this.#records.get('setting', placeKey);
    return (record && placeIn(recordValue(record))) ?? { zone: this.#ownZone };
  }

  /** Tells the listeners what a change of the replica means for them. */
  recordsChanged({ records, removed, membership }: ReplicaChange): void {
    const changes = new Set<BookChange>();
    for (const { collection } of [...records, ...removed]) {
      const kind = kinds[collection];
      if (kind) changes.add(kind);
    }
    // Whose rules and scenes count has changed.
    if (membership) changes.add('rules').add('scenes');
    if (changes.size > 0) for (const listener of [...this.#listeners]) listener(changes);
  }

  /** Calls back after each change; at most 1000 listeners, which waiting runs are too. */
  listen(listener: (changes: ReadonlySet<BookChange>) => void): () => void {
    if (this.#listeners.size >= maxListeners) return () => {};
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #ruleIn(record: SignedRecord): BookRule | null {
    let known = this.#rules.get(record);
    if (known === undefined) {
      const rule = parseRule(recordValue(record));
      const { key, authorId: author, hlc } = record;
      known = rule ? { key, rule, author, changedMs: stampMs(hlc) } : null;
      this.#rules.set(record, known);
    }
    return known;
  }

  #sceneIn(record: SignedRecord): BookScene | null {
    let known = this.#scenes.get(record);
    if (known === undefined) {
      const scene = parseScene(recordValue(record));
      known = scene ? { key: record.key, scene, author: record.authorId } : null;
      this.#scenes.set(record, known);
    }
    return known;
  }
}

/** The place in a record's value; undefined where it is none. */
export const placeIn = (value: unknown): Place | undefined => {
  const { zone, latitude, longitude } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (typeof zone !== 'string' || !isZone(zone)) return undefined;
  const isPlaced = isDegrees(latitude, 90) && isDegrees(longitude, 180);
  return { zone, ...(isPlaced && { latitude: latitude as number, longitude: longitude as number }) };
};

const isDegrees = (value: unknown, most: number): boolean =>
  typeof value === 'number' && Math.abs(value) <= most;

const isZone = (zone: string): boolean => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    // The fabric's zone is one that this engine does not know: the machine's own is used.
    return false;
  }
};
