/**
 * What a replica tells its owner when it has changed.
 * Relies on the replica to tell it once what it says is durable.
 */
import type { PeerId } from '../core/ids.ts';
import { origin, type Position, type SignedRecord } from './record.ts';

/** What changed: records that came and went, and what followed from them. */
export interface ReplicaChange {
  /** New records, all of one author and stream. */
  readonly records: readonly SignedRecord[];
  /** Where their author stood before. */
  readonly from: Position;
  /** True where this peer wrote them. */
  readonly own: boolean;
  /** Records of authors who are not entitled to have any kept, any more. */
  readonly removed: readonly SignedRecord[];
  /** Whether the membership is another one; told once for several control records. */
  readonly membership: boolean;
  /** Authors of whom it is newly proven that they signed two records for one position; this peer, if a copy of it ran. */
  readonly frauds: readonly PeerId[];
}

/** No change at all. */
export const unchanged: ReplicaChange = {
  records: [],
  from: origin,
  own: false,
  removed: [],
  membership: false,
  frauds: [],
};
