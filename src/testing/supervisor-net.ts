/**
 * Many peers' supervisors over channels in memory: a whole fabric's sessions in one process, without its records.
 * Relies on the real Supervisor, handshake and Session; what peers tell each other is who there is, by `want` frames.
 */
import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf, publicKeyOf } from '../core/ids.ts';
import { silentLogger } from '../core/logger.ts';
import { answerDoor, type Gatekeeper, greet } from '../net/handshake.ts';
import type { Session } from '../net/session.ts';
import { Supervisor, type SupervisorOptions } from '../net/supervisor.ts';
import { type MemoryChannel, memoryChannelPair } from './memory-channel.ts';
import { noServer } from './session-lab.ts';

/** One peer of the net. */
export class NetPeer {
  readonly id: PeerId;
  readonly supervisor: Supervisor;
  /** Its door: whoever is not `gone` may come in. */
  readonly gate: Gatekeeper;
  /** Who it has heard of over sessions with neighbours. */
  readonly heard = new Set<PeerId>();
  /** Who may not be in session with it any more. */
  readonly gone = new Set<PeerId>();
  /** Whose values it follows. */
  readonly followed = new Set<PeerId>();
  /** Nobody gets through to it, nor it to anybody. */
  isOff = false;
  readonly #links = new Set<Session>();

  constructor(net: SupervisorNet, id: PeerId, options: Partial<SupervisorOptions>) {
    this.id = id;
    this.heard.add(id);
    const check = (peer: PeerId): void => {
      if (this.gone.has(peer)) throw new AlthingError('not-a-member', `${peer} is gone.`);
    };
    this.gate = {
      fabric: new Uint8Array(32),
      proof: () => [],
      isPlain: () => true,
      check,
      farewell: () => [],
      dismissed: () => {},
      admit: async () => [],
    };
    this.supervisor = new Supervisor({
      self: id,
      greet: (frames) => greet(frames, this.gate),
      answer: (frames) => answerDoor(frames, this.gate),
      belongs: (peer) => !this.gone.has(peer),
      dial: async ({ port }) => net.connect(this, port),
      host: {
        serverFor: () => ({ ...noServer, request: async ({ input }) => [id, input] }),
        sync: async (session, message) => {
          this.#link(session);
          if (message.kind === 'want') this.hear(peerIdOf(message.author));
        },
      },
      endpointsOf: (peer) => [{ host: '127.0.0.1', port: net.portOf(peer) }],
      followed: () => this.followed,
      random: Math.random,
      logger: silentLogger,
      opened: () => {},
      neighbour: (session) => this.#link(session),
      closed: (session) => this.#links.delete(session),
      fruitless: () => {},
      ...options,
    });
  }

  /** Takes in that there is somebody, and tells it on. */
  hear(peer: PeerId): void {
    if (this.heard.has(peer)) return;
    this.heard.add(peer);
    for (const session of this.#links) tell(session, peer);
  }

  #link(session: Session): void {
    if (this.#links.has(session)) return;
    this.#links.add(session);
    for (const peer of this.heard) tell(session, peer);
  }
}

const tell = (session: Session, peer: PeerId): void => {
  if (session.closed) return;
  session.sendSync({ kind: 'want', stream: 'data', author: publicKeyOf(peer), from: { epoch: 1, seq: 1 } });
};

/** All peers of a test; every one a member from the beginning. */
export class SupervisorNet {
  readonly peers: readonly NetPeer[];
  /** Every channel that was ever made between two peers. */
  readonly channels: { readonly from: NetPeer; readonly to: NetPeer; readonly end: MemoryChannel }[] = [];
  readonly #ports: ReadonlyMap<PeerId, number>;

  /** @param random makes the keys */
  constructor(count: number, random: () => number, options: Partial<SupervisorOptions> = {}) {
    const ids = Array.from({ length: count }, () =>
      peerIdOf(Uint8Array.from({ length: 32 }, () => random() * 256)),
    );
    this.#ports = new Map(ids.map((id, index) => [id, index]));
    this.peers = ids.map((id) => new NetPeer(this, id, options));
  }

  /** Everybody learns who the members are, in the same moment. */
  start(): void {
    const ids = this.peers.map(({ id }) => id);
    for (const { supervisor } of this.peers) supervisor.want(ids);
  }

  portOf(peer: PeerId): number {
    return this.#ports.get(peer)!;
  }

  /** A channel from one peer to whoever has this port. */
  connect(from: NetPeer, port: number): MemoryChannel {
    const to = this.peers[port]!;
    if (from.isOff || to.isOff) throw new AlthingError('peer-offline', `${to.id} is off.`);
    const [end, other] = memoryChannelPair(from.id, to.id);
    this.channels.push({ from, to, end });
    void to.supervisor.accept(other, () => {});
    return end;
  }

  /** The plug is pulled: all channels of the peer end at once, and no other begins until it is no longer off. */
  unplug(peer: NetPeer): void {
    peer.isOff = true;
    for (const { from, to, end } of this.channels)
      if (from === peer || to === peer) end.close({ abrupt: true });
  }

  /** The channels between two peers that are open. */
  between(one: NetPeer, other: NetPeer): number {
    return this.channels.filter(
      ({ from, to, end }) => !end.closed && [from, to].includes(one) && [from, to].includes(other),
    ).length;
  }

  close(): void {
    for (const { supervisor } of this.peers) supervisor.close();
  }
}
