/**
 * The guest passes of one peer, both ways: those that it gives for its fabric's Things, and those that it holds.
 * Relies on the fabric that runs now; a pass that is held is of another one, and leaves this one as it is.
 */
import type { JoinInfo, ShareEntry, ShareInfo, ShareRequest } from '../../core/api-shapes.ts';
import { equalBytes } from '../../core/bytes.ts';
import { AlthingError } from '../../core/errors.ts';
import type { PeerId } from '../../core/ids.ts';
import type { Ticket } from '../../fabric/ticket.ts';
import type { Session } from '../../net/session.ts';
import { nodeCrypto } from '../../store/node-crypto.ts';
import type { ListedThing } from '../directory.ts';
import type { FabricRun } from '../fabric-run.ts';
import type { HeldPassOptions } from './held-pass.ts';
import { HeldPasses } from './held-passes.ts';
import { createShare, listShares, type ShareOptions } from './share.ts';

/** Giving guest passes, as gateways and programs see it. */
export interface PassesApi {
  /** Makes a guest pass. Throws `not-admin`, `bad-input`, `thing-unknown`, `name-ambiguous`, `affordance-unknown`. */
  share(request: ShareRequest): Promise<ShareInfo>;
  /** What this peer has shared and what has not expired. */
  shares(): ShareEntry[];
}

export interface PassesOptions extends HeldPassOptions {
  readonly run: () => FabricRun;
  readonly addressesOf: (peer: PeerId) => readonly string[];
  readonly isOffline: boolean;
}

/** Gives and holds guest passes. */
export class Passes implements PassesApi {
  readonly held: HeldPasses;
  readonly #options: PassesOptions;

  constructor(options: PassesOptions) {
    this.#options = options;
    this.held = new HeldPasses(options);
  }

  /** Takes up the passes of earlier runs. */
  start(): void {
    if (!this.#options.isOffline) this.held.start();
  }

  /** See `HeldPasses.join`. Throws `bad-input` for a pass of this peer's own fabric. */
  async join(ticket: Ticket, options: { signal?: AbortSignal | undefined }): Promise<JoinInfo> {
    if (this.#options.isOffline)
      throw new AlthingError('join-unreachable', 'This peer was started without a network.');
    if (equalBytes(ticket.genesis, this.#options.run().fabric.bytes))
      throw new AlthingError(
        'bad-input',
        'This guest pass is of the fabric that this peer belongs to: it needs a grant instead (althing grant).',
      );
    return this.held.join(ticket, options);
  }

  /** The session with a peer as a member of this fabric, else as the holder of a guest pass. */
  session(peer: PeerId): Session | undefined {
    const session = this.#options.run().supervisor.session(peer);
    return session?.visitor.kind === 'member' ? session : this.held.session(peer);
  }

  /** Whether a device answers for a Thing now; null where this peer keeps no session with it and would have to try. */
  isOnline({ td, peer, author }: ListedThing): boolean | null {
    const { supervisor, isGuest } = this.#options.run();
    const isOfPass = this.held.shows(td.id);
    // What its device never exposed, but the one whose place it took, is there to be removed or exposed again.
    if (!isOfPass && !isGuest && author !== peer) return false;
    if (this.session(peer)) return true;
    return isOfPass || supervisor.seeks(peer) ? false : null;
  }

  share(request: ShareRequest): Promise<ShareInfo> {
    return createShare(request, this.#sharing());
  }

  shares(): ShareEntry[] {
    return listShares(this.#sharing());
  }

  #sharing(): ShareOptions {
    const { run, signer, notes, now, addressesOf } = this.#options;
    const { replica, directory } = run();
    const resolve = (name: string) => directory.resolve(name);
    return { replica, signer, crypto: nodeCrypto, notes, now, addressesOf, resolve };
  }
}
