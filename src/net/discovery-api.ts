/**
 * The seam between the supervisor and whatever finds peers on the local networks.
 * Relies on endpoints alone; `dns-sd.ts` implements it, `testing/` has one in memory.
 */
import type { Endpoint } from './channel.ts';

/** An announcement heard on a local network: somebody who may be a member of our fabric. */
export interface Sighting {
  /** Changes at every start of the announcing peer. */
  readonly instance: string;
  readonly salt: Uint8Array;
  /** HMAC-SHA-256 with key = fabric id over salt + peer key, as announced. */
  readonly tag: Uint8Array;
  readonly endpoints: readonly Endpoint[];
}

/** What this peer announces of itself. */
export interface Announcement {
  readonly salt: Uint8Array;
  readonly tag: Uint8Array;
  readonly port: number;
}

/** Finds and is found. */
export interface Discovery {
  /** Starts to answer and to ask. Replaces an earlier announcement. */
  announce(announcement: Announcement): void;
  /** Asks now on every interface (rate-limited inside). */
  probe(): void;
  /** Called for every new or changed sighting, and again when one is heard anew after silence. */
  onSighting: (sighting: Sighting) => void;
  /** Sightings whose time to live has not run out, at most 1024. */
  sightings(): readonly Sighting[];
  close(): Promise<void>;
}
