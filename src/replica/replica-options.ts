/**
 * What a replica needs of its owner: who it is, a clock, a store, and what tests and simulations do in another way.
 * Relies on types alone; `replica.ts` acts on them.
 */
import type { HybridClock } from '../core/clock.ts';
import type { Crypto, Signer } from '../core/crypto.ts';
import type { Logger } from '../core/logger.ts';
import type { computeAuthority } from '../fabric/authority.ts';
import type { Fabric } from '../fabric/genesis.ts';
import type { Quotas } from './quotas.ts';
import type { StateStore } from './record-store.ts';

/** How a replica is made. */
export interface ReplicaOptions {
  readonly fabric: Fabric;
  readonly signer: Signer;
  readonly crypto: Crypto;
  readonly clock: HybridClock;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  /** What the members in session agree the time is, milliseconds since 1970; the wall clock unless told. */
  readonly fabricTimeMs?: () => number;
  readonly store: StateStore;
  /** The home's notes as the store gave them; proofs of fraud are among them. */
  readonly notes?: ReadonlyMap<string, Uint8Array>;
  /** The greatest epoch that this peer is known to have opened; the records held may know of a greater one. */
  readonly lastEpoch?: number;
  /** Called before the first record of an epoch is written; resolves when it is kept for good which epoch that is. */
  readonly epochOpened?: (epoch: number) => Promise<void>;
  /** Lets other work go on between pieces of a long one. */
  readonly yieldTurn: () => Promise<void>;
  /** What one author may have here; the protocol's unless a test wants less. */
  readonly quotas?: Quotas;
  /** Computes authority; `computeAuthority` unless many replicas of one process share what they compute. */
  readonly authorityOf?: typeof computeAuthority;
  readonly logger: Logger;
}
