/**
 * What a store gave back, made ready for a replica in pieces, so that thousands of records do not hold a peer at its start.
 * Relies on the store: signatures were checked when the records were taken in.
 */
import type { Crypto } from '../core/crypto.ts';
import type { Fabric } from '../fabric/genesis.ts';
import { checkInner } from '../fabric/inner-signatures.ts';
import { Holdings } from './holdings.ts';
import { comparePositions, openRecord, type SignedRecord } from './record.ts';

/** Records dealt with before others get their turn: about a millisecond. */
const batchSize = 32;

/** Opens stored records of a fabric and files them. Throws `record-invalid`. */
export const openHoldings = async (
  stored: readonly Uint8Array[],
  fabric: Fabric,
  { crypto, yieldTurn }: { readonly crypto: Crypto; readonly yieldTurn: () => Promise<void> },
): Promise<Holdings> => {
  const records: SignedRecord[] = [];
  for (const raw of stored) {
    const record = openRecord(raw, fabric.id, crypto, { trusted: true });
    checkInner(record, fabric, crypto);
    records.push(record);
    if (records.length % batchSize === 0) await yieldTurn();
  }
  // Each is then the last of its author's, for which room is made at no cost.
  records.sort(comparePositions);
  await yieldTurn();
  const holdings = new Holdings();
  for (const [at, record] of records.entries()) {
    holdings.keep(record);
    if (at % batchSize === batchSize - 1) await yieldTurn();
  }
  // The digests that the first session is told of.
  for (const log of holdings.logs()) {
    log.digest(crypto);
    await yieldTurn();
  }
  return holdings;
};

/** The same at once, for few records. */
export const holdingsOf = (stored: readonly Uint8Array[], fabric: Uint8Array, crypto: Crypto): Holdings => {
  const holdings = new Holdings();
  const records = stored.map((raw) => openRecord(raw, fabric, crypto, { trusted: true }));
  for (const record of records.sort(comparePositions)) holdings.keep(record);
  return holdings;
};
