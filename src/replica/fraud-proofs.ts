/**
 * Proofs that authors signed two records for one position, which no honest program does: at most one of data and a few
 * of control for each author, the lowest among them. Relies on signatures alone, so that a proof is believed whoever brings it.
 */
import { decode, encode } from '../core/codec.ts';
import type { Crypto } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { FraudCuts } from '../fabric/authority.ts';
import { comparePositions, openRecord, type Position, type SignedRecord } from './record.ts';
import type { RecordStream, StateBatch } from './record-store.ts';

/** Two records of one author for one position. */
export interface FraudProof extends Position {
  readonly stream: RecordStream;
  readonly author: Uint8Array;
  readonly authorId: PeerId;
  /** The one with the lower hash first. */
  readonly records: readonly [SignedRecord, SignedRecord];
}

/** What is said of a proof before anybody asks for it. */
export interface FraudEntry extends Position {
  readonly stream: RecordStream;
  readonly author: Uint8Array;
}

const notePrefix = 'fraud/';
/**
 * Of one author's control records, the lowest. Both records of each count where the author ever was an admin. There is no
 * bound for all authors together: which proofs are kept would depend on which came first.
 */
const maxControlProofs = 64;

/** Names a proof: of data any one is as good as another. */
export const proofKey = (stream: RecordStream, author: PeerId, { epoch, seq }: Position): string =>
  stream === 'data' ? `data/${author}` : `control/${author}/${epoch}/${seq}`;

/** Two opened records as a proof. Throws `record-invalid` where they prove nothing. */
export const proofOf = (a: SignedRecord, b: SignedRecord): FraudProof => {
  if (a.authorId !== b.authorId || a.stream !== b.stream || comparePositions(a, b) !== 0 || a.hash === b.hash)
    throw new AlthingError('record-invalid', 'Two records that do not contradict each other prove no fraud.');
  const { stream, author, authorId, epoch, seq } = a;
  return { stream, author, authorId, epoch, seq, records: a.hash < b.hash ? [a, b] : [b, a] };
};

/** Reads the raw records of a proof, both signatures checked. Throws `record-invalid`. */
export const openProof = (raw: readonly Uint8Array[], fabric: Uint8Array, crypto: Crypto): FraudProof => {
  const [a, b] = raw.map((one) => openRecord(one, fabric, crypto));
  if (!a || !b) throw new AlthingError('record-invalid', 'A proof of fraud has two records.');
  return proofOf(a, b);
};

/** All proofs that a replica holds. */
export class FraudProofs {
  readonly #proofs = new Map<string, FraudProof>();
  /** Those about each author's control records, the lowest position first. */
  readonly #control = new Map<PeerId, FraudProof[]>();
  readonly #cuts = new Map<PeerId, Position | null>();
  /** Notes to be forgotten: of proofs that gave way to lower ones, or of another fabric, from before this peer joined. */
  #stale: string[] = [];

  /** @param notes the home's notes as the store gave them */
  constructor(notes: ReadonlyMap<string, Uint8Array>, fabric: Uint8Array, crypto: Crypto) {
    for (const [key, value] of notes) {
      if (!key.startsWith(notePrefix)) continue;
      const proof = readNote(value, fabric, crypto);
      if (proof) this.add(proof);
      else this.#stale.push(key);
    }
  }

  /** From where on control records of fraudulent authors are void; null where only data is proven. */
  get cuts(): FraudCuts {
    return this.#cuts;
  }

  /** Whether anything is proven of this author. */
  has(author: PeerId): boolean {
    return this.#cuts.has(author);
  }

  /** Whether a record of this author at this position is void. */
  voids(stream: RecordStream, author: PeerId, position: Position): boolean {
    if (stream === 'data') return this.has(author);
    const cut = this.#cuts.get(author);
    return cut !== undefined && cut !== null && comparePositions(position, cut) >= 0;
  }

  find(stream: RecordStream, author: PeerId, position: Position): FraudProof | undefined {
    return this.#proofs.get(proofKey(stream, author, position));
  }

  /** The control records in proofs, with those that no log holds since another has their place. */
  control(): SignedRecord[] {
    return [...this.list()].flatMap(({ stream, records }) => (stream === 'control' ? records : []));
  }

  /** The control record of this hash in a proof. */
  named(author: PeerId, hash: string): SignedRecord | undefined {
    const records = this.#control.get(author)?.flatMap((proof) => proof.records);
    return records?.find((record) => record.hash === hash);
  }

  list(): Iterable<FraudProof> {
    return this.#proofs.values();
  }

  /** Whether a proof at this position would be kept: the first of data, one of the lowest of control. */
  isNews(stream: RecordStream, author: PeerId, position: Position): boolean {
    if (this.find(stream, author, position)) return false;
    const highest = stream === 'data' ? undefined : this.#control.get(author)?.[maxControlProofs - 1];
    return highest === undefined || comparePositions(position, highest) < 0;
  }

  /** Takes in a proof that is news; beyond the most of one author its highest gives way. */
  add(proof: FraudProof): void {
    const { stream, authorId } = proof;
    this.#proofs.set(proofKey(stream, authorId, proof), proof);
    if (stream === 'data') {
      this.#cuts.set(authorId, this.#cuts.get(authorId) ?? null);
      return;
    }
    const sorted = [...(this.#control.get(authorId) ?? []), proof].sort(comparePositions);
    for (const higher of sorted.splice(maxControlProofs)) {
      this.#proofs.delete(proofKey(stream, authorId, higher));
      this.#stale.push(this.note(higher)[0]);
    }
    const { epoch, seq } = sorted[0]!;
    this.#control.set(authorId, sorted);
    this.#cuts.set(authorId, { epoch, seq });
  }

  /** The notes that keep all proofs. */
  notes(): Map<string, Uint8Array> {
    return new Map([...this.list()].map((proof) => this.note(proof)));
  }

  /** The note that keeps a proof. */
  note(proof: FraudProof): readonly [key: string, value: Uint8Array] {
    const { stream, authorId, records } = proof;
    return [notePrefix + proofKey(stream, authorId, proof), encode(records.map(({ raw }) => raw))];
  }

  /** Changes that make the store forget the notes that are not needed; empty once `forgot` was called. */
  get staleNotes(): NonNullable<StateBatch['local']> {
    return this.#stale.map((key) => [key, null] as const);
  }

  forgot(): void {
    this.#stale = [];
  }
}

const readNote = (value: Uint8Array, fabric: Uint8Array, crypto: Crypto): FraudProof | undefined => {
  try {
    return openProof(decode(value, 'record-invalid') as Uint8Array[], fabric, crypto);
  } catch (error) {
    if (error instanceof AlthingError && error.code === 'record-invalid') return undefined;
    throw error;
  }
};
