/**
 * What of a proof has room at the door, where little is read of those who are not accepted yet.
 * Relies on the other side to know the rest: who has been away for long knows the oldest records best.
 */

/** A frame at the door has at most 32 KiB, and a proof at most 64 records. */
const maxProofBytes = 24 * 1024;
const maxProofRecords = 64;

/** The last of these raw records, as many as have room. */
export const atTheDoor = (proof: readonly Uint8Array[]): readonly Uint8Array[] => {
  let sizeBytes = 0;
  let from = proof.length;
  while (from > 0 && proof.length - from < maxProofRecords) {
    sizeBytes += proof[from - 1]!.length;
    if (sizeBytes > maxProofBytes) break;
    from -= 1;
  }
  return proof.slice(from);
};
