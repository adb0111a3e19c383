/**
 * The joiner's side of a ticket: reads it, finds a member, redeems it, and checks what it is given.
 * Relies on a way to dial and on what was heard on the local networks; changes nothing by itself.
 */
import type { Role } from '../core/api-shapes.ts';
import { concat, equalBytes, toHex } from '../core/bytes.ts';
import type { Crypto, Signer } from '../core/crypto.ts';
import { AlthingError, toAlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf, publicKeyOf } from '../core/ids.ts';
import { computeAuthority } from '../fabric/authority.ts';
import { joinProofBytes } from '../fabric/control.ts';
import { decodeFabric, type Fabric } from '../fabric/genesis.ts';
import { decodeTicket, type TicketPeer } from '../fabric/ticket.ts';
import type { Channel, Endpoint } from '../net/channel.ts';
import type { Dial } from '../net/dialler.ts';
import type { Sighting } from '../net/discovery-api.ts';
import { FrameChannel } from '../net/frame-channel.ts';
import { redeem } from '../net/handshake.ts';
import { formatEndpoint, parseEndpoint } from '../net/tls-channel.ts';
import { openRecord } from '../replica/record.ts';

/** A ticket that has been read and whose invite holds. */
export interface OpenTicket {
  readonly fabric: Fabric;
  readonly invite: Signer;
  readonly role: Role;
  readonly peers: readonly TicketPeer[];
  /** The invite and what proves its author, raw. */
  readonly records: readonly Uint8Array[];
}

/** What joining brought: enough to be a member from now on, with nobody else awake. */
export interface Joined {
  readonly fabric: Fabric;
  readonly role: Role;
  readonly proof: readonly Uint8Array[];
  /** Addresses to begin with, by peer. */
  readonly addresses: ReadonlyMap<PeerId, readonly string[]>;
}

/** Reads a ticket and verifies its invite offline. Throws `ticket-invalid`. */
export const openTicket = (text: string, crypto: Crypto): OpenTicket => {
  const ticket = decodeTicket(text, crypto);
  if (ticket.kind !== 'invite')
    throw new AlthingError('ticket-invalid', 'This is a guest pass, by which nobody becomes a member.');
  const fabric = decodeFabric(ticket.genesis, crypto);
  const invite = crypto.signer(ticket.seed);
  try {
    const raw = [...ticket.proof, ticket.permit];
    const records = raw.map((one) => openRecord(one, fabric.id, crypto));
    const standing = computeAuthority(fabric, records, crypto).invites.get(toHex(invite.publicKey));
    if (standing) return { fabric, invite, role: standing.invite.role, peers: ticket.peers, records: raw };
  } catch (error) {
    throw new AlthingError('ticket-invalid', `The ticket is forged: ${toAlthingError(error).message}`, {
      cause: error,
    });
  }
  throw new AlthingError(
    'ticket-invalid',
    'The ticket is forged: no admin of its fabric signed this invite.',
  );
};

export interface JoinOptions {
  readonly signer: Signer;
  readonly crypto: Crypto;
  readonly dial: Dial;
  readonly hmac: (key: Uint8Array, data: Uint8Array) => Uint8Array;
  /** What has been heard on the local networks by now. */
  readonly sightings: () => readonly Sighting[];
  readonly probe: () => void;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

interface Candidate {
  /** Of an endpoint and whom we mean to meet there. */
  readonly id: string;
  readonly endpoint: Endpoint;
  /** Whether this is a member that we mean to speak to. */
  readonly meant: (peer: PeerId) => boolean;
}

/** How often new candidates are looked for, and how many are dialled each time: a crowd must not choke a small CPU. */
const lookMs = 100;
const dialsPerLook = 4;
/** A candidate that failed is tried again after this. */
const againMs = 500;
const dialTimeoutMs = 3000;
/** Refusals that no other member would answer otherwise. */
const final = new Set([
  'invite-expired',
  'invite-used-up',
  'invite-revoked',
  'revoked',
  'proof-invalid',
  'version-unsupported',
  'forbidden',
]);

/**
 * Redeems a ticket at any member that can be reached: those that it names, and those heard on the local networks. They
 * are dialled side by side and asked one at a time, since each that lets this peer in costs a use of the invite.
 * Throws `invite-expired`, `invite-used-up`, `invite-revoked`, `invite-unknown`, `revoked`, `join-unreachable`, `cancelled`.
 */
export const redeemTicket = async (ticket: OpenTicket, options: JoinOptions): Promise<Joined> => {
  const until = performance.now() + options.timeoutMs;
  const doors = new Doors(options);
  let refusal: AlthingError | undefined;
  try {
    while (performance.now() < until) {
      options.probe();
      doors.approach(candidatesOf(ticket, options));
      const channel = await doors.next(lookMs);
      if (!channel) continue;
      try {
        return await redeemAt(channel, ticket, options);
      } catch (error) {
        const said = toAlthingError(error);
        if (final.has(said.code) || said.code === 'cancelled') throw said;
        if (said.code !== 'peer-offline') refusal = said;
      }
    }
  } finally {
    doors.close();
  }
  refusal ??= doors.refusal;
  if (refusal?.code === 'invite-unknown') throw refusal;
  throw new AlthingError(
    'join-unreachable',
    `No member of "${ticket.fabric.genesis.name}" let this peer in within ${Math.round(options.timeoutMs / 1000)} s${refusal ? ` (${refusal.message})` : ''}.`,
  );
};

/** Dials candidates side by side, and gives out the channels to those that were meant, one by one. */
class Doors {
  /** The most telling failure so far. */
  refusal: AlthingError | undefined;
  readonly #options: JoinOptions;
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;
  /** When each candidate may be dialled next, on the monotonic clock. */
  readonly #next = new Map<string, number>();
  readonly #open: Channel[] = [];
  #wake: () => void = () => {};

  constructor(options: JoinOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#closed.signal]);
  }

  /** Dials a few of these, those first that have waited longest. */
  approach(candidates: readonly Candidate[]): void {
    const due = ({ id }: Candidate): number => this.#next.get(id) ?? 0;
    const now = performance.now();
    const ready = candidates.filter((candidate) => due(candidate) <= now);
    for (const one of ready.toSorted((a, b) => due(a) - due(b)).slice(0, dialsPerLook)) void this.#dial(one);
  }

  /** The next open channel; undefined where there is none within this time. Throws `cancelled`. */
  async next(timeoutMs: number): Promise<Channel | undefined> {
    if (this.#open.length === 0) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const timer = setTimeout(this.#wake, timeoutMs);
      this.#signal.addEventListener('abort', this.#wake, { once: true });
      await woken;
      clearTimeout(timer);
      this.#signal.removeEventListener('abort', this.#wake);
    }
    if (this.#signal.aborted) throw new AlthingError('cancelled', 'Joining was given up.');
    return this.#open.shift();
  }

  /** Ends all dialling, and closes the channels that nobody took. */
  close(): void {
    this.#closed.abort();
    for (const channel of this.#open) channel.close({ abrupt: true });
  }

  async #dial({ id, endpoint, meant }: Candidate): Promise<void> {
    this.#next.set(id, Number.POSITIVE_INFINITY);
    try {
      const channel = await this.#options.dial(endpoint, { timeoutMs: dialTimeoutMs, signal: this.#signal });
      if (!meant(channel.remote)) {
        channel.close({ abrupt: true });
        throw new AlthingError(
          'wrong-peer',
          `${channel.remoteAddress} is not the member that the ticket names.`,
        );
      }
      this.#open.push(channel);
      this.#wake();
    } catch (error) {
      const said = toAlthingError(error);
      if (said.code !== 'peer-offline') this.refusal = said;
    } finally {
      this.#next.set(id, performance.now() + againMs);
    }
  }
}

const candidatesOf = (ticket: OpenTicket, options: JoinOptions): Candidate[] => {
  const named = ticket.peers.flatMap(({ key, addresses }) =>
    addresses.flatMap((address): Candidate[] => {
      const endpoint = endpointOrNone(address);
      const peer = peerIdOf(key);
      return endpoint ? [{ id: `${address} ${peer}`, endpoint, meant: (found) => found === peer }] : [];
    }),
  );
  // Whoever can make this tag with its own key knows the fabric's id.
  const heard = options.sightings().flatMap((sighting) =>
    sighting.endpoints.map(
      (endpoint): Candidate => ({
        id: `${formatEndpoint(endpoint)} ${toHex(sighting.salt)}`,
        endpoint,
        meant: (peer) =>
          equalBytes(sightingTag(ticket.fabric.id, sighting.salt, peer, options.hmac), sighting.tag),
      }),
    ),
  );
  return [...named, ...heard].slice(0, 64);
};

const endpointOrNone = (address: string): Endpoint | undefined => {
  try {
    return parseEndpoint(address);
  } catch {
    // A ticket of a newer version may name kinds of addresses that we cannot dial: the others remain.
    return undefined;
  }
};

/** The tag under which a peer announces itself: HMAC-SHA-256 (fabric id, salt + peer key). */
export const sightingTag = (
  fabric: Uint8Array,
  salt: Uint8Array,
  peer: PeerId | Uint8Array,
  hmac: (key: Uint8Array, data: Uint8Array) => Uint8Array,
): Uint8Array => hmac(fabric, concat(salt, typeof peer === 'string' ? publicKeyOf(peer) : peer));

const redeemAt = async (
  channel: Channel,
  { fabric, invite, peers, records: shown }: OpenTicket,
  options: JoinOptions,
): Promise<Joined> => {
  const frames = new FrameChannel(channel);
  try {
    const self = options.signer.publicKey;
    const proof = await redeem(frames, {
      fabric: fabric.id,
      invite: invite.publicKey,
      proof: invite.sign(joinProofBytes(fabric.id, invite.publicKey, self)),
      records: shown,
    });
    const records = proof.map((raw) => openRecord(raw, fabric.id, options.crypto));
    const member = computeAuthority(fabric, records, options.crypto).members.get(peerIdOf(self));
    if (!member)
      throw new AlthingError('proof-invalid', `${channel.remote} answered with a proof that does not hold.`);
    const addresses = new Map<PeerId, readonly string[]>(
      peers.map(({ key, addresses }) => [peerIdOf(key), addresses] as const),
    );
    const others = addresses.get(channel.remote) ?? [];
    addresses.set(channel.remote, [...new Set([channel.remoteAddress, ...others])]);
    return { fabric, role: member.role, proof, addresses };
  } finally {
    frames.close();
  }
};
