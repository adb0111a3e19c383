/**
 * Proofs that authors signed two records for one position, which no honest program does: for each author at most one of
 * data, and of control the lowest. Relies on signatures alone, so that a proof is believed whoever brings it.
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
  readonly #proofs: Record<RecordStream, Map<PeerId, FraudProof>> = { control: new Map(), data: new Map() };
  readonly #cuts = new Map<PeerId, Position | null>();
  /** Notes to be forgotten: of proofs that gave way to a lower one, or of another fabric, from before this peer joined. */
  #stale: string[] = [];

  /** @param notes the home's notes as the store gave them */
  constructor(notes: ReadonlyMap<string, Uint8Array>, fabric: Uint8Array, crypto: Crypto) {
    for (const [key, value] of notes) {
      if (!key.startsWith(notePrefix)) continue;
      const proof = readNote(value, fabric, crypto);
      if (proof && this.isNews(proof.stream, proof.authorId, proof)) this.add(proof);
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

  list(): FraudProof[] {
    return [...this.#proofs.control.values(), ...this.#proofs.data.values()];
  }

  /** Whether a proof at this position would be kept: the first of data, the lowest of control. */
  isNews(stream: RecordStream, author: PeerId, position: Position): boolean {
    const known = this.#proofs[stream].get(author);
    return known === undefined || (stream === 'control' && comparePositions(position, known) < 0);
  }

  /** Takes in a proof that is news; one that was held gives way to it. */
  add(proof: FraudProof): void {
    const { stream, authorId, epoch, seq } = proof;
    const higher = this.#proofs[stream].get(authorId);
    if (higher) this.#stale.push(this.note(higher)[0]);
    this.#proofs[stream].set(authorId, proof);
    if (stream === 'control') this.#cuts.set(authorId, { epoch, seq });
    else this.#cuts.set(authorId, this.#cuts.get(authorId) ?? null);
  }

  /** The notes that keep all proofs. */
  notes(): Map<string, Uint8Array> {
    return new Map(this.list().map((proof) => this.note(proof)));
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
