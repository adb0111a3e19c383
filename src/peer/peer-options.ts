/**
 * How a peer is started, and what it is made of then.
 * Relies on types alone; `peer.ts` acts on them.
 */
import type { Logger } from '../core/logger.ts';
import type { Config } from '../store/config.ts';
import type { Home } from '../store/home.ts';
import type { LocalNotes } from '../store/local-notes.ts';
import type { FileStateStore } from '../store/state-store.ts';
import type { StoreHealth } from '../store/store-health.ts';
import type { KeptMembership } from './kept-membership.ts';
import type { StepJournal } from './rules/step-journal.ts';

/** How a peer is started. */
export interface PeerOptions {
  /** The home directory; made where there is none. */
  readonly home: string;
  /** The peer's name for people, 1 to 64 characters; kept. Default: the kept one, else the machine's. */
  readonly name?: string;
  /** The name of the fabric that a first run founds. Default: the peer's name. */
  readonly fabricName?: string;
  /** `HOST:PORT`; default all addresses, port 7421 or a free one. */
  readonly listen?: string;
  /** Whether to find and be found by DNS-SD; default true, and never where it listens on loopback only. */
  readonly mdns?: boolean;
  /** `HOST:PORT` of members to try, beside those that are known. */
  readonly bootstrap?: readonly string[];
  /** Stays off the network altogether. */
  readonly offline?: boolean;
  readonly logger?: Logger;
}

/** What a peer is made of: its home, opened and read. */
export interface PeerParts {
  readonly options: PeerOptions;
  readonly config: Config;
  readonly home: Home;
  readonly store: FileStateStore;
  readonly health: StoreHealth;
  readonly notes: LocalNotes;
  readonly journal: StepJournal;
  readonly kept: KeptMembership;
  readonly seed: Uint8Array;
  readonly name: string;
  readonly logger: Logger;
}
