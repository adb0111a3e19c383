/**
 * Authors of the test vectors: they sign one record after the other, by keys that follow from small numbers.
 * Relies on the real encoding and signatures, so that what they sign is what any peer would sign.
 */
import { fromHex } from '../../src/core/bytes.ts';
import { stampOf } from '../../src/core/clock.ts';
import { peerIdOf } from '../../src/core/ids.ts';
import type { Fabric } from '../../src/fabric/genesis.ts';
import {
  openRecord,
  type RecordBody,
  type SignedRecord,
  signRecord,
  streamOf,
} from '../../src/replica/record.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import { foundedMs, peerSigner } from '../../src/testing/control-lab.ts';

/** One author; each record follows on the one before in its stream. */
export class Author {
  readonly #fabric: Fabric;
  readonly signer;
  readonly id: string;
  readonly key: Uint8Array;
  readonly #last = new Map<string, SignedRecord>();

  constructor(fabric: Fabric, number: number) {
    this.#fabric = fabric;
    this.signer = peerSigner(number);
    this.key = this.signer.publicKey;
    this.id = peerIdOf(this.key);
  }

  /** The hash of its last control record. */
  get head(): Uint8Array | null {
    const last = this.#last.get('control');
    return last ? fromHex(last.hash) : null;
  }

  /** Signs a record `atMs` after the founding; `change` overrides what would follow from the one before. */
  sign(
    collection: string,
    key: string,
    value: unknown,
    change: Partial<RecordBody> & { atMs?: number } = {},
  ): SignedRecord {
    const { atMs = 1000, ...body } = change;
    const stream = streamOf(collection);
    const last = this.#last.get(stream);
    const record = this.#signed({
      collection,
      key,
      author: this.key,
      epoch: last?.epoch ?? 1_800_000_000_000,
      seq: (last?.seq ?? 0) + 1,
      hlc: stampOf(foundedMs + atMs),
      deleted: false,
      value: stream === 'control' ? { ...(value as object), prev: this.head } : value,
      ...body,
    });
    this.#last.set(stream, record);
    return record;
  }

  /** Signs something else for the position of a record of its own. */
  contradict({ collection, key, author, epoch, seq, hlc }: SignedRecord, value: unknown): SignedRecord {
    return this.#signed({ collection, key, author, epoch, seq, hlc, deleted: false, value });
  }

  #signed(body: RecordBody): SignedRecord {
    const { id } = this.#fabric;
    return openRecord(signRecord(body, id, this.signer), id, nodeCrypto);
  }
}
