/**
 * The sessions over which a running fabric's records are kept equal: those of neighbours that hold records.
 * Relies on the reconciler for what is said over them; its owner says which sessions there are and who is a guest.
 */
import type { Crypto } from '../core/crypto.ts';
import type { PeerId } from '../core/ids.ts';
import type { Logger } from '../core/logger.ts';
import type { Session } from '../net/session.ts';
import type { Reconciler } from '../replica/reconciler.ts';
import type { Replica } from '../replica/replica.ts';
import type { ReplicaChange } from '../replica/replica-change.ts';
import type { SyncLink, SyncMessage } from '../replica/sync-messages.ts';
import type { Withheld } from '../replica/withheld.ts';
import { openReconciler } from './open-reconciler.ts';
import { yieldTurn } from './yield-turn.ts';

const tickMs = 1000;

export interface RecordLinksOptions {
  /** Whether a peer is a guest: those hold no records. */
  readonly isGuest: (peer: PeerId) => boolean;
  readonly crypto: Crypto;
  readonly logger: Logger;
}

/** Reconciliation over the sessions of one fabric. */
export class RecordLinks {
  readonly #replica: Replica;
  readonly #isGuest: (peer: PeerId) => boolean;
  readonly #reconciler: Reconciler;
  readonly #links = new Map<Session, SyncLink>();
  #ticker: NodeJS.Timeout | undefined;
  /** What others ask for is looked up one after the other, each in a turn of its own. */
  #nextTurn: Promise<void> = Promise.resolve();

  constructor(replica: Replica, { isGuest, crypto, logger }: RecordLinksOptions) {
    this.#replica = replica;
    this.#isGuest = isGuest;
    this.#reconciler = openReconciler(replica, { crypto, logger });
  }

  start(): void {
    this.#ticker = setInterval(() => this.#reconciler.tick(), tickMs);
  }

  close(): void {
    clearInterval(this.#ticker);
    this.#reconciler.close();
  }

  /** Who claims to hold records and does not give them. */
  withheld(): Withheld[] {
    return this.#reconciler.withheld();
  }

  /** Resolves to true when this replica has caught up with another for the first time, to false after `timeoutMs`. */
  caughtUp(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (here: boolean): void => {
        clearTimeout(timer);
        this.#reconciler.onSettled = undefined;
        resolve(here);
      };
      const timer = setTimeout(() => done(false), timeoutMs);
      // Before the records that admit this peer have come, there is more to follow.
      this.#reconciler.onSettled = () => {
        if (this.#replica.authority.members.has(this.#replica.self)) done(true);
      };
    });
  }

  /** Keeps records equal over this session from now on, but with guests. Idempotent. */
  link(session: Session): void {
    this.#linkOf(session);
  }

  #linkOf(session: Session): SyncLink | undefined {
    const { peer } = session;
    const known = this.#links.get(session);
    if (known || session.closed || session.visitor.kind !== 'member') return known;
    if (this.#isGuest(peer) || this.#isGuest(this.#replica.self)) return;
    const link: SyncLink = {
      peer,
      send: (message) => {
        if (!session.closed) session.sendSync(message);
      },
      fail: (error) => session.close(error, { abrupt: true }),
    };
    this.#links.set(session, link);
    this.#reconciler.add(link);
    return link;
  }

  /** The session has ended. */
  unlink(session: Session): void {
    const link = this.#links.get(session);
    if (!link) return;
    this.#links.delete(session);
    this.#reconciler.remove(link);
  }

  /** A member may have become a guest meanwhile: the supervisor tells of new neighbours, not of this. */
  unlinkGuests(): void {
    const isGuest = this.#isGuest(this.#replica.self);
    for (const session of this.#links.keys())
      if (isGuest || this.#isGuest(session.peer)) this.unlink(session);
  }

  /** What the other side of a session says. Resolves when it has been dealt with, so that the session can push back. */
  async handle(session: Session, message: SyncMessage): Promise<void> {
    // Above the size of a mesh the other side may take this peer for a neighbour that does not know it yet.
    const link = this.#linkOf(session);
    if (message.kind.startsWith('want')) {
      this.#nextTurn = this.#nextTurn.then(yieldTurn);
      await this.#nextTurn;
    }
    if (link) await this.#reconciler.handle(link, message);
  }

  /** Tells the sessions of a change in the replica. */
  replicaChanged(change: ReplicaChange): void {
    this.#reconciler.replicaChanged(change);
  }
}
