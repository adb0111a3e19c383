/**
 * What admins call Things and peers, and in which room they are: one `label` record for a Thing id or a peer id.
 * Relies on the replica, which gives labels of admins only; a replaced peer's label goes on with its successor.
 */
import { AlthingError } from '../../core/errors.ts';
import type { LabelInfo, LabelRequest } from '../../core/governance-shapes.ts';
import type { PeerId } from '../../core/ids.ts';
import type { Draft } from '../../replica/draft.ts';
import { recordValue, type SignedRecord } from '../../replica/record.ts';
import type { Replica } from '../../replica/replica.ts';

/** A name, a room, or both. */
export interface Label {
  readonly name?: string;
  readonly room?: string;
}

const maxTextLength = 64;
const none: Label = {};

/** The labels that count now. */
export class Labels {
  readonly #replica: Replica;
  readonly #read = new WeakMap<SignedRecord, Label>();

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** The label of a Thing or peer by its id; empty where there is none. */
  of(id: string): Label {
    const record = this.#replica.get('label', id);
    return record ? this.#labelIn(record) : none;
  }

  /** The label of a peer: its own, else one of those whose place it took. */
  ofPeer(peer: PeerId): Label {
    const known = [peer, ...this.#replica.authority.predecessorsOf(peer)].map((id) => this.of(id));
    return known.find(({ name, room }) => name !== undefined || room !== undefined) ?? none;
  }

  /** The ids of whatever admins call so, whatever its case. */
  named(name: string): Set<string> {
    const wanted = name.toLowerCase();
    const records = this.#replica.list('label');
    return new Set(
      records.filter((one) => this.#labelIn(one).name?.toLowerCase() === wanted).map(({ key }) => key),
    );
  }

  #labelIn(record: SignedRecord): Label {
    let label = this.#read.get(record);
    if (!label) {
      const { name, room } = (recordValue(record) ?? none) as Partial<Record<string, unknown>>;
      label = { ...(isText(name) && { name }), ...(isText(room) && { room }) };
      this.#read.set(record, label);
    }
    return label;
  }
}

/**
 * Changes a label durably: what is left out stays, an empty text removes. Throws `not-admin`, `bad-input`, the store's
 * codes.
 */
export const writeLabel = async (
  replica: Replica,
  id: string,
  { name, room }: LabelRequest,
): Promise<LabelInfo> => {
  if (replica.authority.members.get(replica.self)?.role !== 'admin')
    throw new AlthingError('not-admin', 'Only an admin names Things and peers for the whole fabric.');
  if (name === undefined && room === undefined)
    throw new AlthingError('bad-input', 'Say what to call it, or its room.');
  for (const text of [name, room])
    if (text !== undefined && text !== '' && !isText(text))
      throw new AlthingError(
        'bad-input',
        `"${text}" cannot be a name or a room: at most ${maxTextLength} characters without "/".`,
      );
  let label: Label = none;
  await replica.write((): Draft[] => {
    const known = new Labels(replica).of(id);
    label = { ...changed('name', known.name, name), ...changed('room', known.room, room) };
    const isEmpty = label.name === undefined && label.room === undefined;
    return [{ collection: 'label', key: id, value: isEmpty ? null : label, deleted: isEmpty }];
  });
  return { id, name: label.name ?? null, room: label.room ?? null };
};

const changed = (member: keyof Label, known: string | undefined, given: string | undefined): Label => {
  const text = given ?? known ?? '';
  return text === '' ? none : { [member]: text };
};

const isText = (text: unknown): text is string =>
  typeof text === 'string' && text.trim() !== '' && text.length <= maxTextLength && !text.includes('/');
