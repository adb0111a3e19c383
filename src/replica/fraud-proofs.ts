/**
 * Proofs that authors signed two records for one position, which no honest program does: at most one of data and the
 * lowest of control for each author. Relies on signatures alone, so that a proof is believed whoever brings it.
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
/** Nobody's records fill the store with proofs: this many keys were burnt, and more are not told of. */
const maxProofs = 512;

const proofKey = (stream: RecordStream, author: PeerId): string => `${stream}/${author}`;

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
  /** By stream and author. */
  readonly #proofs = new Map<string, FraudProof>();
  readonly #cuts = new Map<PeerId, Position | null>();
  /** Notes that prove nothing in this fabric: another one's, from before this peer joined. */
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

  find(stream: RecordStream, author: PeerId): FraudProof | undefined {
    return this.#proofs.get(proofKey(stream, author));
  }

  list(): Iterable<FraudProof> {
    return this.#proofs.values();
  }

  /** Whether a proof at this position would change anything: the first of data, a lower one of control. */
  isNews(stream: RecordStream, author: PeerId, position: Position): boolean {
    const known = this.find(stream, author);
    if (!known) return this.#proofs.size < maxProofs;
    return stream === 'control' && comparePositions(position, known) < 0;
  }

  /** Takes in a proof that is news. */
  add(proof: FraudProof): void {
    const { stream, authorId, epoch, seq } = proof;
    this.#proofs.set(proofKey(stream, authorId), proof);
    if (stream === 'control') this.#cuts.set(authorId, { epoch, seq });
    else if (!this.#cuts.has(authorId)) this.#cuts.set(authorId, null);
  }

  /** The notes that keep all proofs. */
  notes(): Map<string, Uint8Array> {
    return new Map([...this.list()].map((proof) => this.note(proof)));
  }

  /** The note that keeps a proof. */
  note({ stream, authorId, records }: FraudProof): readonly [key: string, value: Uint8Array] {
    return [notePrefix + proofKey(stream, authorId), encode(records.map(({ raw }) => raw))];
  }

  /** Changes that make the store forget the notes that prove nothing; empty once `forgot` was called. */
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
