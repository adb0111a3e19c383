/**
 * The guest passes that this peer holds: taken, kept over restarts, and gone by themselves when they end.
 * Relies on the local notes for memory; its own fabric knows nothing of them.
 */
import type { JoinInfo } from '../../core/api-shapes.ts';
import { AlthingError } from '../../core/errors.ts';
import { hashId, type PeerId, peerIdOf } from '../../core/ids.ts';
import { decodeTicket, encodeTicket, type Ticket } from '../../fabric/ticket.ts';
import type { Sighting } from '../../net/discovery-api.ts';
import type { NetworkInterface } from '../../net/interfaces.ts';
import type { Session } from '../../net/session.ts';
import { nodeCrypto } from '../../store/node-crypto.ts';
import type { OtherThings } from '../directory.ts';
import { HeldPass, type HeldPassOptions, openPassTicket } from './held-pass.ts';

const notePrefix = 'held-pass/';
/** Passes held at once at most. */
const maxPasses = 32;
const joinTimeoutMs = 15_000;

/** All passes that one peer holds. */
export class HeldPasses {
  readonly #options: HeldPassOptions;
  readonly #passes = new Map<PeerId, HeldPass>();

  constructor(options: HeldPassOptions) {
    this.#options = options;
  }

  /** Takes up the passes of earlier runs. */
  start(): void {
    const { notes, logger } = this.#options;
    for (const [key, text] of notes.list(notePrefix)) {
      try {
        this.#begin(decodeTicket(String(text), nodeCrypto));
      } catch (error) {
        logger.warn({ err: error, key }, 'A guest pass that was kept cannot be read.');
      }
    }
  }

  /** The Things that the passes let this peer see. */
  others(): readonly OtherThings[] {
    return [...this.#passes.values()].map(({ seen }) => seen);
  }

  /** Whether one of the passes lets this peer see the Thing with this id. */
  shows(id: string): boolean {
    for (const { seen } of this.#passes.values()) if (seen.byId(id)) return true;
    return false;
  }

  /** The session with a device that lets this peer in by a pass. */
  session(peer: PeerId): Session | undefined {
    for (const pass of this.#passes.values()) {
      const session = pass.session(peer);
      if (session) return session;
    }
    return undefined;
  }

  /**
   * Takes a pass into use and keeps it once a device has accepted it; one that is held already is told about again.
   * Throws `ticket-invalid`, the pass codes, `too-many`, `join-unreachable`, `cancelled`.
   */
  async join(ticket: Ticket, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<JoinInfo> {
    const { notes } = this.#options;
    const { pass } = openPassTicket(ticket);
    const known = this.#passes.get(pass.id);
    if (known && [...known.seen.tds()].length > 0) return this.#info(known);
    if (!known && this.#passes.size >= maxPasses)
      throw new AlthingError('too-many', `This peer holds ${maxPasses} guest passes already.`);
    const held = known ?? this.#begin(ticket);
    try {
      await this.#accepted(held, signal);
      await notes.set(notePrefix + pass.id, encodeTicket(ticket, nodeCrypto));
    } catch (error) {
      if (!known) await this.#drop(held);
      throw error;
    }
    return this.#info(held);
  }

  sighted(sighting: Sighting): void {
    for (const pass of this.#passes.values()) pass.sighted(sighting);
  }

  interfacesChanged(interfaces: readonly NetworkInterface[], added: boolean): void {
    for (const pass of this.#passes.values()) pass.interfacesChanged(interfaces, added);
  }

  close(): void {
    for (const pass of this.#passes.values()) pass.close();
  }

  #begin(ticket: Ticket): HeldPass {
    const { logger } = this.#options;
    const opened = openPassTicket(ticket);
    const held = new HeldPass(opened, this.#options);
    this.#passes.set(opened.pass.id, held);
    held.onEnd = (reason) => {
      logger.info({ pass: opened.pass.id, code: reason.code }, reason.message);
      this.#drop(held).catch((error: unknown) =>
        logger.warn({ err: error }, 'A pass could not be forgotten.'),
      );
    };
    held.start();
    return held;
  }

  /** Resolves when a device has shown its Things. */
  async #accepted(held: HeldPass, signal: AbortSignal | undefined): Promise<void> {
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const end = held.onEnd;
    held.onEnd = (reason) => {
      end(reason);
      reject(reason);
    };
    const giveUp = (): void => reject(new AlthingError('cancelled', 'Joining was given up.'));
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      await Promise.race([held.seen.firstRead(joinTimeoutMs), ended]);
    } finally {
      held.onEnd = end;
      signal?.removeEventListener('abort', giveUp);
    }
    if ([...held.seen.tds()].length > 0) return;
    throw new AlthingError(
      'join-unreachable',
      `No device of "${held.opened.fabric.genesis.name}" let this peer in within ${joinTimeoutMs / 1000} s.`,
    );
  }

  /** Forgets a pass and all that was seen by it. */
  async #drop(held: HeldPass): Promise<void> {
    held.close();
    this.#passes.delete(held.opened.pass.id);
    await held.seen.forgetAll();
    await this.#options.notes.set(notePrefix + held.opened.pass.id, null);
  }

  #info({ opened, seen }: HeldPass): JoinInfo {
    return {
      peer: peerIdOf(this.#options.signer.publicKey),
      fabric: hashId(opened.fabric.id),
      role: 'guest',
      things: [...seen.tds()].map(({ id }) => id).sort(),
    };
  }
}
