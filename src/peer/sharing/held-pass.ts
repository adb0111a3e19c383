/**
 * One guest pass that this peer holds: its sessions with the devices that carry the Things, for as long as it is good.
 * Relies on the supervisor for reaching them and on their word for when it has ended; it needs no third device.
 */
import type { Signer } from '../../core/crypto.ts';
import { AlthingError, type ErrorCode, toAlthingError } from '../../core/errors.ts';
import { type PeerId, peerIdOf } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import { computeAuthority } from '../../fabric/authority.ts';
import { decodeFabric, type Fabric } from '../../fabric/genesis.ts';
import { openPass, type Pass, presentationBytes } from '../../fabric/pass.ts';
import type { Ticket } from '../../fabric/ticket.ts';
import type { Dial } from '../../net/dialler.ts';
import type { Discovery, Sighting } from '../../net/discovery-api.ts';
import type { FrameChannel } from '../../net/frame-channel.ts';
import { present } from '../../net/handshake.ts';
import type { NetworkInterface } from '../../net/interfaces.ts';
import type { Session } from '../../net/session.ts';
import { Supervisor } from '../../net/supervisor.ts';
import { openRecord } from '../../replica/record.ts';
import type { LocalNotes } from '../../store/local-notes.ts';
import { hmacSha256, nodeCrypto } from '../../store/node-crypto.ts';
import type { ThingServer } from '../../thing/operations.ts';
import { Addresses } from '../addresses.ts';
import { SeenThings } from './seen-things.ts';

/** A pass that has been read and whose issuer is an admin by what its ticket shows. */
export interface OpenedPass {
  readonly fabric: Fabric;
  readonly pass: Pass;
  readonly ticket: Ticket;
}

/** Reads a guest pass's ticket and verifies it offline. Throws `ticket-invalid`. */
export const openPassTicket = (ticket: Ticket): OpenedPass => {
  const crypto = nodeCrypto;
  const fabric = decodeFabric(ticket.genesis, crypto);
  const pass = openPass(ticket.permit, fabric.id, crypto);
  if (peerIdOf(crypto.signer(ticket.seed).publicKey) !== pass.id)
    throw new AlthingError('ticket-invalid', 'The guest pass is forged: its secret is that of another.');
  try {
    const records = ticket.proof.map((raw) => openRecord(raw, fabric.id, crypto));
    if (computeAuthority(fabric, records, crypto).admins.has(pass.issuer)) return { fabric, pass, ticket };
  } catch (error) {
    throw new AlthingError('ticket-invalid', `The guest pass is forged: ${toAlthingError(error).message}`, {
      cause: error,
    });
  }
  throw new AlthingError('ticket-invalid', 'The guest pass is forged: no admin of its fabric signed it.');
};

/** What all held passes share. */
export interface HeldPassOptions {
  readonly signer: Signer;
  readonly notes: LocalNotes;
  readonly dial: Dial;
  readonly discovery: () => Discovery | undefined;
  readonly interfaces: () => readonly NetworkInterface[];
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly logger: Logger;
  /** The Things with these ids are new, changed or gone. */
  readonly changed: (ids: readonly string[]) => void;
  readonly sessionOpened: (peer: PeerId) => void;
}

/** Refusals after which a device is not asked again. */
const final: ReadonlySet<ErrorCode> = new Set([
  'pass-expired',
  'pass-ended',
  'pass-used-up',
  'ticket-invalid',
  'proof-invalid',
  'wrong-fabric',
  'forbidden',
]);
/** The devices' word counts for the end, not this peer's clock; while they are away it is looked at this often. */
const lookMs = 60_000;
const shortestLookMs = 5000;

/** Nothing is offered to the devices of another fabric. */
const nothing: ThingServer = {
  request: () =>
    Promise.reject(new AlthingError('forbidden', 'This peer is a guest: it offers nothing here.')),
  stream: () =>
    Promise.reject(new AlthingError('forbidden', 'This peer is a guest: it offers nothing here.')),
};

/** A pass in use. */
export class HeldPass {
  readonly opened: OpenedPass;
  readonly seen: SeenThings;
  /** Called once when no device takes the pass any more, with what the last one said. */
  onEnd: (reason: AlthingError) => void = () => {};
  readonly #options: HeldPassOptions;
  readonly #self: PeerId;
  readonly #supervisor: Supervisor;
  readonly #addresses: Addresses;
  readonly #hosts = new Set<PeerId>();
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(opened: OpenedPass, options: HeldPassOptions) {
    const { fabric, pass, ticket } = opened;
    const { signer, notes, logger } = options;
    this.opened = opened;
    this.#options = options;
    this.#self = peerIdOf(signer.publicKey);
    const published = new Map(ticket.peers.map(({ key, addresses }) => [peerIdOf(key), addresses]));
    for (const host of published.keys()) if (host !== this.#self) this.#hosts.add(host);
    this.#addresses = new Addresses({
      notes,
      fabric: fabric.id,
      hmac: hmacSha256,
      sightings: () => options.discovery()?.sightings() ?? [],
      interfaces: options.interfaces,
      published: (peer) => published.get(peer) ?? [],
    });
    this.seen = new SeenThings({
      self: this.#self,
      notes,
      notePrefix: `pass-seen/${pass.id}/`,
      admits: (id) => pass.things.includes(id),
      changed: options.changed,
      introduced: () => {},
      membership: () => {},
      logger,
    });
    this.#supervisor = new Supervisor({
      self: this.#self,
      dial: options.dial,
      greet: (frames) => this.#present(frames),
      answer: async () => {
        throw new AlthingError('forbidden', 'Nobody comes in by a pass that this peer holds.');
      },
      belongs: (peer) => this.#hosts.has(peer),
      neighbour: () => {},
      followed: () => [],
      host: { serverFor: () => nothing, sync: async () => {} },
      endpointsOf: (peer) => this.#addresses.endpointsOf(peer),
      random: Math.random,
      logger,
      opened: (session) => this.#sessionOpened(session),
      closed: (session) => this.seen.unfollow(session),
      fruitless: () => options.discovery()?.probe(),
    });
  }

  /** Begins to look for the devices. */
  start(): void {
    this.#options.discovery()?.probe();
    this.#supervisor.want(this.#hosts);
    this.#watchTime();
  }

  session(peer: PeerId): Session | undefined {
    return this.#supervisor.session(peer);
  }

  /** Something was heard on the networks. */
  sighted(sighting: Sighting): void {
    for (const host of this.#hosts) if (this.#addresses.isOf(sighting, host)) this.#supervisor.kick(host);
  }

  /** The machine's networks have changed. */
  interfacesChanged(interfaces: readonly NetworkInterface[], added: boolean): void {
    this.#supervisor.addressesAre(new Set(interfaces.map(({ address }) => address)));
    if (added) this.#supervisor.kick();
  }

  /** Stops, and leaves what was seen for the next start. */
  close(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.seen.close();
    this.#supervisor.close();
  }

  async #present(frames: FrameChannel): Promise<void> {
    const { signer } = this.#options;
    const { fabric, pass, ticket } = this.opened;
    const key = nodeCrypto.signer(ticket.seed);
    const proof = key.sign(presentationBytes(fabric.id, pass.key, signer.publicKey));
    try {
      await present(frames, { fabric: fabric.id, pass: ticket.permit, records: ticket.proof, proof });
    } catch (error) {
      const refusal = toAlthingError(error);
      // Once the attempt has come to its end.
      if (final.has(refusal.code)) queueMicrotask(() => this.#refused(frames.channel.remote, refusal));
      throw error;
    }
  }

  #sessionOpened(session: Session): void {
    this.#options.sessionOpened(session.peer);
    void this.seen.follow(session);
    if (!session.dialled) return;
    this.#addresses
      .remember(session.peer, session.remoteAddress)
      .catch((error: unknown) => this.#options.logger.warn({ err: error }, 'An address is not remembered.'));
  }

  #refused(host: PeerId, reason: AlthingError): void {
    if (this.#isOver || !this.#hosts.delete(host)) return;
    this.#supervisor.want(this.#hosts);
    void this.seen.forget(host);
    if (this.#hosts.size === 0) this.#end(reason);
  }

  #end(reason: AlthingError): void {
    if (this.#isOver) return;
    this.close();
    this.onEnd(reason);
  }

  #watchTime(): void {
    const leftMs = this.opened.pass.expires - this.#options.now();
    const waitMs = Math.min(Math.max(leftMs, shortestLookMs), lookMs);
    this.#timer = setTimeout(() => {
      const isOver = this.#options.now() >= this.opened.pass.expires;
      if (isOver && this.#supervisor.sessions().length === 0)
        this.#end(new AlthingError('pass-expired', `The guest pass "${this.opened.pass.title}" has ended.`));
      else this.#watchTime();
    }, waitMs);
    this.#timer.unref();
  }
}
