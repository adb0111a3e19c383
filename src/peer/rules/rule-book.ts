/**
 * The rules, scenes, named values and the place of a fabric, as its records have them.
 * Relies on the replica for the winner of each record among those who may write it; each record is read once.
 */
import { stampMs } from '../../core/clock.ts';
import type { PeerId } from '../../core/ids.ts';
import { markIn } from '../../core/rule-keys.ts';
import type { ScopedThing } from '../../fabric/scope.ts';
import { recordValue, type SignedRecord } from '../../replica/record.ts';
import type { Replica } from '../../replica/replica.ts';
import type { ReplicaChange } from '../../replica/replica-change.ts';
import { parseRule, parseScene, type Rule, type Scene } from '../../rules/rule.ts';
import type { Place } from '../../rules/schedule.ts';
import type { ThingCall } from '../../thing/operations.ts';
import {
  authorMay,
  msToNextChange,
  type RuleRights,
  whyNotInForce,
  withinMemberLimits,
} from './rule-rights.ts';

/** A rule of the fabric. */
export interface BookRule {
  /** The slug of its name; of a member's rule with its author's mark. */
  readonly key: string;
  readonly rule: Rule;
  readonly author: PeerId;
  /** When it was signed, milliseconds since 1970. */
  readonly changedMs: number;
  /** Of a member's rule: whether its author may have it make this call now. An admin's may make any that it says. */
  readonly mayUse?: (thing: ScopedThing, call: ThingCall) => boolean;
}

/** A rule with why it is not in force; null where it is. */
export interface ListedRule extends BookRule {
  readonly notInForce: string | null;
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
  readonly #rights: RuleRights | undefined;
  readonly #ownZone: string;
  /** Records of rules in the order of their keys, until some change. */
  #sorted: readonly SignedRecord[] | undefined;
  readonly #rules = new WeakMap<SignedRecord, BookRule | null>();
  readonly #scenes = new WeakMap<SignedRecord, BookScene | null>();
  readonly #places = new WeakMap<SignedRecord, Place>();
  readonly #values = new WeakMap<SignedRecord, { readonly value: unknown }>();
  readonly #listeners = new Set<(changes: ReadonlySet<BookChange>) => void>();

  /**
   * @param ownZone the IANA zone where the fabric has said none: this machine's; @param rights by what members' rules
   * are in force; without it every rule is
   */
  constructor(
    records: Pick<Replica, 'get' | 'list'>,
    ownZone: string = Intl.DateTimeFormat().resolvedOptions().timeZone,
    rights?: RuleRights,
  ) {
    this.#records = records;
    this.#ownZone = ownZone;
    this.#rights = rights;
  }

  /** Every rule that is in force, in the order of their keys. */
  rules(): BookRule[] {
    // What is not in force is not even read: nobody is to make others work by writing rules.
    return this.#counting()
      .filter((record) => this.#whyNot(record) === null)
      .flatMap((record) => this.#ruleIn(record) ?? []);
  }

  /** A rule that is in force. */
  rule(key: string): BookRule | undefined {
    const record = this.#records.get('rule', key);
    if (!record || this.#whyNot(record) !== null || !this.#isCounting(record)) return undefined;
    return this.#ruleIn(record) ?? undefined;
  }

  /**
   * Whether a rule may make this call for all that its author may: one of an admin's may, one that is not in force may
   * not; undefined for a member's that is not known here.
   */
  permits(key: string, thing: ScopedThing, call: ThingCall): boolean | undefined {
    if (!this.#rights || markIn(key) === undefined) return true;
    if (!this.#records.get('rule', key)) return undefined;
    return this.rule(key)?.mayUse?.(thing, call) === true;
  }

  /** Every rule, in force or not, in the order of their keys. */
  listed(): ListedRule[] {
    return this.#counting().flatMap((record) => {
      const rule = this.#ruleIn(record);
      return rule ? [{ ...rule, notInForce: this.#whyNot(record) }] : [];
    });
  }

  /** Milliseconds until rules may begin or cease to be in force by time alone; undefined where none will. */
  nextChangeMs(): number | undefined {
    if (!this.#rights) return undefined;
    const { grants } = this.#rights.authority();
    return msToNextChange(grants, this.#rights.time());
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
    if (!record) return { zone: this.#ownZone };
    let known = this.#places.get(record);
    if (!known) {
      known = placeIn(recordValue(record)) ?? { zone: this.#ownZone };
      this.#places.set(record, known);
    }
    return known;
  }

  /** Tells the listeners what a change of the replica means for them. */
  recordsChanged({ records, removed, membership }: ReplicaChange): void {
    const changes = new Set<BookChange>();
    for (const { collection } of [...records, ...removed]) {
      const kind = kinds[collection];
      if (kind) changes.add(kind);
    }
    if (membership || changes.has('rules')) this.#sorted = undefined;
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

  /** The records that may be in force: all of admins, the first few of each member. */
  #counting(): readonly SignedRecord[] {
    if (!this.#sorted) {
      const records = this.#records.list('rule').sort((a, b) => (a.key < b.key ? -1 : 1));
      this.#sorted = withinMemberLimits(records);
    }
    return this.#sorted;
  }

  #isCounting(record: SignedRecord): boolean {
    return markIn(record.key) === undefined || this.#counting().includes(record);
  }

  #whyNot({ key, authorId }: SignedRecord): string | null {
    if (!this.#rights || markIn(key) === undefined) return null;
    return whyNotInForce(this.#rights, authorId);
  }

  #ruleIn(record: SignedRecord): BookRule | null {
    let known = this.#rules.get(record);
    if (known === undefined) {
      known = this.#read(record);
      this.#rules.set(record, known);
    }
    return known;
  }

  #read(record: SignedRecord): BookRule | null {
    const { key, authorId: author, hlc } = record;
    const rule = parseRule(recordValue(record));
    if (!rule) return null;
    const rights = this.#rights;
    return {
      ...{ key, rule, author, changedMs: stampMs(hlc) },
      ...(rights &&
        markIn(key) !== undefined && { mayUse: (thing, call) => authorMay(rights, author, thing, call) }),
    };
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
