/**
 * Real peers within the test's own process, on loopback and in temporary homes, and intruders with bare TLS channels.
 * Relies on `createPeer`; whatever it started is stopped and whatever it wrote is removed by `close`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromHex } from '../core/bytes.ts';
import type { Signer } from '../core/crypto.ts';
import { toAlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { joinProofBytes } from '../fabric/control.ts';
import { FrameChannel } from '../net/frame-channel.ts';
import { type Frame, frameType } from '../net/frames.ts';
import { protocolVersions, redeem } from '../net/handshake.ts';
import { createTlsContext, dialTls, parseEndpoint } from '../net/tls-channel.ts';
import { createPeer } from '../peer/create-peer.ts';
import { openTicket } from '../peer/join.ts';
import type { Peer } from '../peer/peer.ts';
import type { PeerOptions } from '../peer/peer-options.ts';
import type { Draft } from '../replica/draft.ts';
import type { Replica } from '../replica/replica.ts';
import { tlsIdentityOf } from '../store/certificate.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { writeInHome } from './home-writer.ts';
import { waitFor } from './wait-for.ts';

const loopback = '127.0.0.1:0';

/** Peers and intruders of one test. */
export class PeerLab {
  readonly #peers: Peer[] = [];
  readonly #homes: string[] = [];
  readonly #homeOf = new Map<Peer, string>();
  readonly #intruders: Intruder[] = [];

  /** Starts a peer on loopback, on a new home unless one is given. */
  async start(name: string, options: Partial<PeerOptions> = {}): Promise<Peer> {
    const home = options.home ?? (await mkdtemp(join(tmpdir(), 'althing-peer-')));
    if (options.home === undefined) this.#homes.push(home);
    const peer = await createPeer({ listen: loopback, mdns: false, ...options, home, name });
    this.#peers.push(peer);
    this.#homeOf.set(peer, home);
    return peer;
  }

  /**
   * Stops a peer, writes with its key what its program would not, and starts it again: a modified peer, to the others.
   * Things have to be exposed anew.
   */
  modify(peer: Peer, draft: (replica: Replica) => readonly Draft[]): Promise<Peer> {
    return this.restart(peer, () => writeInHome(this.#homeOf.get(peer)!, draft));
  }

  /** Stops a peer, and starts it again on its home when this has happened. Things have to be exposed anew. */
  async restart(peer: Peer, meanwhile: () => Promise<unknown> = async () => {}): Promise<Peer> {
    const home = this.#homeOf.get(peer)!;
    const { name } = peer.self();
    await peer.stop();
    await meanwhile();
    return this.start(name, { home });
  }

  /** Makes `joiner` a member of `admin`'s fabric, and waits until each sees the other online. */
  async join(admin: Peer, joiner: Peer): Promise<void> {
    const { ticket } = await admin.invite({});
    await joiner.join(ticket);
    await waitFor(() => isOnline(admin, joiner.id) && isOnline(joiner, admin.id), {
      what: 'the peers to be in session',
    });
  }

  /** Connects to a peer with a key of the test's own, and says nothing yet. */
  async intrude(peer: Peer, options: { seed?: Uint8Array } = {}): Promise<Intruder> {
    const intruder = new Intruder(options.seed ?? nodeCrypto.randomBytes(32));
    await intruder.connect(peer);
    this.#intruders.push(intruder);
    return intruder;
  }

  /** An intruder that is a member, with its session open: the worst that a fabric can have in it. */
  async traitor(admin: Peer, options: { seed?: Uint8Array } = {}): Promise<Intruder> {
    const { ticket } = await admin.invite({});
    const intruder = await this.intrude(admin, options);
    const proof = await intruder.redeem(ticket);
    await intruder.connect(admin);
    await intruder.enter(proof);
    return intruder;
  }

  async close(): Promise<void> {
    for (const intruder of this.#intruders) intruder.close();
    await Promise.all(this.#peers.map((peer) => peer.stop()));
    await Promise.all(this.#homes.map((home) => rm(home, { recursive: true, force: true })));
  }
}

/** Whether a peer has a session with another one. */
export const isOnline = (peer: Peer, other: PeerId): boolean =>
  peer.peers().some(({ peer: id, state }) => id === other && state === 'online');

/** The last known values of a Thing by name, as a peer's records have them; undefined where there are none. */
export const lastValues = (peer: Peer, thing: string): Record<string, unknown> | undefined => {
  try {
    const { properties } = peer.lastKnown(thing);
    return Object.fromEntries(Object.entries(properties).map(([name, { value }]) => [name, value]));
  } catch (error) {
    const { code } = toAlthingError(error);
    if (code === 'value-unknown' || code === 'thing-unknown') return undefined;
    throw error;
  }
};

/** One connection to a peer in a test's hands. */
export class Intruder {
  readonly signer: Signer;
  readonly id: PeerId;
  /** Every frame that came on the present connection. */
  frames: Frame[] = [];
  #fabric: Uint8Array = new Uint8Array(32);
  readonly #context;
  #channel!: FrameChannel;
  #isOpen = false;

  constructor(seed: Uint8Array) {
    this.signer = nodeCrypto.signer(seed);
    this.id = peerIdOf(this.signer.publicKey);
    this.#context = createTlsContext(tlsIdentityOf(seed));
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get channel(): FrameChannel {
    return this.#channel;
  }

  /** Opens a new connection: TLS, and nothing said. */
  async connect(peer: Peer): Promise<void> {
    const endpoint = parseEndpoint(peer.self().listen[0]!);
    const { signal } = new AbortController();
    const channel = await dialTls(endpoint, this.#context, { timeoutMs: 5000, signal });
    this.#fabric = fromHex(peer.self().fabric);
    this.#channel = new FrameChannel(channel);
    this.#channel.trust();
    this.#isOpen = true;
    this.listen();
  }

  /** Takes in whatever comes. */
  listen(): void {
    this.frames = [];
    const { frames } = this;
    this.#channel.onClose = () => {
      this.#isOpen = false;
    };
    this.#channel.handle((frame) => {
      frames.push(frame);
      if (frames.length > 10_000) frames.shift();
    });
  }

  /** A hello as a peer of this version says it, or with parts replaced. */
  hello(parts: { versions?: unknown; fabric?: unknown; proof?: unknown; features?: unknown } = {}): Frame {
    const { versions = protocolVersions, fabric = this.#fabric, proof = [], features = [] } = parts;
    return [frameType.hello, versions, fabric, proof, features];
  }

  send(frame: Frame): void {
    this.#channel.send(frame);
  }

  sendBytes(bytes: Uint8Array): void {
    this.#channel.channel.send(bytes);
  }

  /** Redeems a ticket, as a joiner does. Resolves with the records that prove the membership. */
  async redeem(ticketText: string): Promise<readonly Uint8Array[]> {
    const { fabric, invite, records } = openTicket(ticketText, nodeCrypto);
    const proof = invite.sign(joinProofBytes(fabric.id, invite.publicKey, this.signer.publicKey));
    return redeem(this.#channel, { fabric: fabric.id, invite: invite.publicKey, proof, records });
  }

  /** Opens a session, as a member does. */
  async enter(proof: readonly Uint8Array[]): Promise<void> {
    this.send(this.hello({ proof }));
    await this.frame('the welcome', ([type]) => type === frameType.welcome);
  }

  /** The first frame that fits, once it is there. */
  frame(what: string, fits: (frame: Frame) => boolean): Promise<Frame> {
    return waitFor(() => this.frames.find(fits), {
      what: () => `${what}; there was ${JSON.stringify(this.frames.slice(-5)).slice(0, 500)}`,
    });
  }

  close(): void {
    this.#channel?.close(undefined, { abrupt: true });
  }
}
