/**
 * What a peer wants to write, before it has a place, a stamp and a signature.
 * Relies on nothing.
 */
/** A record to be written by this peer; its position, clock and chain are filled in. */
export interface Draft {
  readonly collection: string;
  readonly key: string;
  /** Control records: the statement without `prev`. */
  readonly value: unknown;
  readonly deleted?: boolean;
}
