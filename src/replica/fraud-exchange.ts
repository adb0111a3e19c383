/**
 * Spreads proofs of fraud over all sessions: whoever hears of one that it lacks asks for it and verifies it.
 * Relies on the replica for what is news; a proof is sent and fetched seldom, so that no liar keeps peers busy with it.
 */
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { type FraudEntry, proofKey } from './fraud-proofs.ts';
import type { Replica } from './replica.ts';
import {
  type FraudMessage,
  type FraudsMessage,
  maxFraudEntries,
  type SyncLink,
  type WantFraudMessage,
} from './sync-messages.ts';

/** A proof is neither asked for nor sent to one session again before this is over. */
const pauseMs = 10_000;
/** Proofs asked of one session at once. */
const maxAsked = 4;
/** Claims of one session that are remembered. */
const maxClaims = maxFraudEntries;

interface Side {
  /** Proofs that the other side says it holds. */
  readonly claims: Map<string, FraudEntry>;
  /** When it was sent which; no longer ago than the pause. */
  readonly served: Map<string, number>;
}

const keyOfEntry = (entry: FraudEntry): string => proofKey(entry.stream, peerIdOf(entry.author), entry);

/** All sessions' talk about frauds. */
export class FraudExchange {
  readonly #replica: Replica;
  readonly #now: () => number;
  readonly #sides = new Map<SyncLink, Side>();
  /** Whom a proof was asked of, and until when nobody else is. */
  readonly #asked = new Map<string, { readonly link: SyncLink; readonly until: number; isOpen: boolean }>();

  constructor(replica: Replica, now: () => number) {
    this.#replica = replica;
    this.#now = now;
  }

  add(link: SyncLink): void {
    this.#sides.set(link, { claims: new Map(), served: new Map() });
  }

  remove(link: SyncLink): void {
    this.#sides.delete(link);
  }

  /** Says of which frauds proofs are here, those of `isMeant` only. */
  tell(link: SyncLink, isMeant: (author: Uint8Array) => boolean): void {
    const claims = this.#sides.get(link)?.claims;
    const entries = this.#replica
      .fraudEntries()
      .filter((entry) => isMeant(entry.author) && !claims?.has(keyOfEntry(entry)))
      .map(({ stream, author, epoch, seq }) => ({ stream, author, epoch, seq }));
    for (let at = 0; at < entries.length; at += maxFraudEntries)
      link.send({ kind: 'frauds', entries: entries.slice(at, at + maxFraudEntries) });
  }

  /** Says so to all sessions. */
  tellAll(authors: readonly PeerId[]): void {
    for (const link of this.#sides.keys()) this.tell(link, (author) => authors.includes(peerIdOf(author)));
  }

  hear(link: SyncLink, { entries }: FraudsMessage): void {
    const side = this.#sides.get(link);
    if (!side) return;
    for (const entry of entries) {
      const key = keyOfEntry(entry);
      if (side.claims.size >= maxClaims && !side.claims.has(key)) this.#makeRoom(side);
      // What finds no room is told again with the next summary: sides that lack a proof differ.
      if (side.claims.size < maxClaims || side.claims.has(key)) side.claims.set(key, entry);
    }
    this.#ask(link, side);
  }

  /** Call about once a second: asks for what is still missing. */
  tick(): void {
    const now = this.#now();
    for (const [key, { link, until }] of this.#asked) {
      if (until > now) continue;
      this.#asked.delete(key);
      // It gave nothing, or nothing new: others are asked before this session is again.
      const side = this.#sides.get(link);
      if (side && this.#sides.delete(link)) this.#sides.set(link, side);
    }
    for (const [link, side] of this.#sides) this.#ask(link, side);
  }

  answer(link: SyncLink, entry: WantFraudMessage): void {
    const key = keyOfEntry(entry);
    const served = this.#sides.get(link)?.served;
    const proof = this.#replica.frauds().find((one) => keyOfEntry(one) === key);
    const now = this.#now();
    if (!proof || !served) return;
    for (const [sent, at] of served) if (at <= now - pauseMs) served.delete(sent);
    if (served.has(key)) return;
    served.set(key, now);
    link.send({ kind: 'fraud', records: [proof.records[0].raw, proof.records[1].raw] });
  }

  /** A proof has come; looked at only where it was asked for. Throws `record-invalid` where it proves nothing. */
  async take(link: SyncLink, { records }: FraudMessage): Promise<void> {
    const outstanding = this.#askedOf(link)[0];
    if (!outstanding) return;
    outstanding.isOpen = false;
    await this.#replica.receiveProof(records);
  }

  /** Forgets claims that are no news any more. */
  #makeRoom({ claims }: Side): void {
    for (const [key, entry] of claims) if (!this.#replica.needsProof(entry)) claims.delete(key);
  }

  #askedOf(link: SyncLink): { isOpen: boolean }[] {
    return [...this.#asked.values()].filter((asked) => asked.isOpen && asked.link === link);
  }

  #ask(link: SyncLink, side: Side): void {
    let outstanding = this.#askedOf(link).length;
    for (const [key, entry] of side.claims) {
      if (outstanding >= maxAsked) return;
      if (this.#asked.has(key) || !this.#replica.needsProof(entry)) continue;
      this.#asked.set(key, { link, until: this.#now() + pauseMs, isOpen: true });
      outstanding += 1;
      const { stream, author, epoch, seq } = entry;
      link.send({ kind: 'want-fraud', stream, author, epoch, seq });
    }
  }
}
