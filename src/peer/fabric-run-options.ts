/**
 * What a fabric needs to run: who this peer is in it, what outlives it, and who is told what happens.
 * Relies on types alone; `fabric-run.ts` acts on them.
 */
import type { Activity } from '../core/api-shapes.ts';
import type { Crypto, Signer } from '../core/crypto.ts';
import type { PeerId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { Fabric } from '../fabric/genesis.ts';
import type { Endpoint } from '../net/channel.ts';
import type { Dial } from '../net/dialler.ts';
import type { Discovery } from '../net/discovery-api.ts';
import type { NetworkInterface } from '../net/interfaces.ts';
import type { Holdings } from '../replica/holdings.ts';
import type { StateStore, StoredState } from '../replica/record-store.ts';
import type { ReplicaChange } from '../replica/replica-change.ts';
import type { LocalNotes } from '../store/local-notes.ts';
import type { ThingConnector } from '../thing/operations.ts';
import type { OtherThings } from './directory.ts';
import type { ExposedThings } from './exposed-things.ts';
import type { KeptMembership } from './kept-membership.ts';
import type { StepJournal } from './rules/step-journal.ts';

/** What a store gave back, its records opened or still raw. */
export type OpenedState = Omit<StoredState, 'records'> & {
  readonly records: StoredState['records'] | Holdings;
};

/** How a fabric is run. */
export interface FabricRunOptions {
  readonly fabric: Fabric;
  /** What the store holds. */
  readonly stored: OpenedState;
  readonly storedProof: readonly Uint8Array[];
  readonly signer: Signer;
  readonly crypto: Crypto;
  readonly store: StateStore;
  readonly notes: LocalNotes;
  /** Where steps of rules are noted in the moment in which they are done. */
  readonly journal: StepJournal;
  readonly kept: KeptMembership;
  readonly name: string;
  readonly listen: Endpoint;
  readonly dial: Dial;
  readonly discovery: Discovery | undefined;
  readonly interfaces: () => readonly NetworkInterface[];
  readonly bootstrap: readonly Endpoint[];
  readonly exposed: ExposedThings;
  /** Things that are known otherwise than by this fabric's records: those of guest passes. */
  readonly others: () => readonly OtherThings[];
  /** How rules use Things. */
  readonly connector: ThingConnector;
  readonly logger: Logger;
  readonly activity: (activity: Omit<Activity, 'time'>) => void;
  readonly sessionOpened: (peer: PeerId) => void;
  /** The Things with these ids are listed, changed or gone for a reason other than records that came or went. */
  readonly seenChanged: (ids: readonly string[]) => void;
  /** Peers whose values are followed here. */
  readonly followed: () => Iterable<PeerId>;
  readonly changed: (change: ReplicaChange) => void;
}
