/**
 * What a peer knows of the other side of one session: where authors stand there, what differs, what was in vain.
 * Relies on the reconciler, which decides what follows from it.
 */

import { toHex } from '../core/bytes.ts';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf, publicKeyOf } from '../core/ids.ts';
import { comparePositions, type Position } from './record.ts';
import type { RecordStream } from './record-store.ts';
import { type SyncLink, toldBytes } from './sync-messages.ts';

/** Most authors that one session may tell of. */
const maxKnown = 20_000;

/** The furthest position that the other side is known to hold of one author. */
export interface Known extends Position {
  readonly stream: RecordStream;
  readonly author: Uint8Array;
  /** Kept beside the key: ids cost more than all else that is done with the claims of a liar. */
  readonly authorId: PeerId;
  /** What it said of its records at this position. */
  readonly digest: Uint8Array | undefined;
}

/** Going through an author's records from the beginning, since ours differ. */
export interface Mending {
  /** How far that got. */
  cursor: Position;
  /** With many records their hashes are compared first. */
  readonly byHashes: boolean;
  /** Hashes up to `reached` whose records are to be asked for, oldest first. */
  missing: string[];
  reached: Position;
  /** Lists of hashes asked for so far. */
  lists: number;
}

/** The first bytes of a peer's key in hexadecimal, as `told` names it. */
export const shortNameOf = (publicKey: Uint8Array): string => toHex(publicKey.subarray(0, toldBytes));

/** One session's other side. Everything is by stream and author, and of authors that it named. */
export class RemoteSide {
  readonly link: SyncLink;
  /** When to send it a summary again. */
  retellAt: number;
  /** When its last summary came. */
  summaryAt = Number.NEGATIVE_INFINITY;
  /** There is more to ask it for than it may be asked at once. */
  hasUnasked = false;
  readonly shortName: string;
  readonly known = new Map<string, Known>();
  readonly mending = new Map<string, Mending>();
  /** Digests here and there for which that was done: once is enough. */
  readonly compared = new Map<string, string>();
  /** Positions here and there at which the other side's records do not follow on what is here, even so. */
  readonly gaps = new Map<string, string>();
  /** Up to where authors said that they told this side themselves. */
  readonly toldByAuthor = new Map<string, Position>();
  /** How often it did not answer. */
  readonly misses = new Map<string, number>();

  constructor(link: SyncLink, retellAt: number) {
    this.link = link;
    this.retellAt = retellAt;
    this.shortName = shortNameOf(publicKeyOf(link.peer));
  }

  /** It says itself where an author stands there; the origin: that it holds nothing, or nothing any more. */
  claims(known: Known): void {
    const key = keyOf(known);
    if (known.epoch === 0) this.known.delete(key);
    else this.#set(key, known);
  }

  /** It must hold at least this much. */
  holds(known: Known): void {
    const key = keyOf(known);
    const before = this.known.get(key);
    if (!before || comparePositions(known, before) > 0) this.#set(key, known);
  }

  /** Whether it stands at this position or after, or was told by the author. */
  isPast(key: string, position: Position): boolean {
    return [this.known.get(key), this.toldByAuthor.get(key)].some(
      (at) => at !== undefined && comparePositions(at, position) >= 0,
    );
  }

  #set(key: string, known: Known): void {
    if (!this.known.has(key) && this.known.size >= maxKnown)
      this.link.fail(new AlthingError('too-many', `A vector may name at most ${maxKnown} authors.`));
    else this.known.set(key, known);
  }
}

/** Names an author's stream. */
export const keyOf = ({
  stream,
  author,
  authorId = peerIdOf(author),
}: Pick<Known, 'stream' | 'author'> & { readonly authorId?: PeerId }): string => `${stream}/${authorId}`;
