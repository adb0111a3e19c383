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
import type { Endpoint } from '../net/channel.ts';
import type { Dial } from '../net/dialler.ts';
import type { Sighting } from '../net/discovery-api.ts';
import { FrameChannel } from '../net/frame-channel.ts';
import { redeem } from '../net/handshake.ts';
import { parseEndpoint } from '../net/tls-channel.ts';
import { openRecord } from '../replica/record.ts';

/** A ticket that has been read and whose invite holds. */
export interface OpenTicket {
  readonly fabric: Fabric;
  readonly invite: Signer;
  readonly role: Role;
  readonly peers: readonly TicketPeer[];
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
  const fabric = decodeFabric(ticket.genesis, crypto);
  const invite = crypto.signer(ticket.seed);
  try {
    const records = [...ticket.proof, ticket.invite].map((raw) => openRecord(raw, fabric.id, crypto));
    const standing = computeAuthority(fabric, records, crypto).invites.get(toHex(invite.publicKey));
    if (standing) return { fabric, invite, role: standing.invite.role, peers: ticket.peers };
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
  readonly endpoint: Endpoint;
  /** Whether this is a member that we mean to speak to. */
  readonly meant: (peer: PeerId) => boolean;
}

const roundMs = 500;
const dialTimeoutMs = 3000;
/** Refusals that no other member would answer otherwise. */
const final = new Set([
  'invite-expired',
  'invite-used-up',
  'proof-invalid',
  'version-unsupported',
  'forbidden',
]);

/**
 * Redeems a ticket at any member that can be reached: those that it names, and those heard on the local networks.
 * Throws `invite-expired`, `invite-used-up`, `invite-unknown`, `join-unreachable`, `cancelled`.
 */
export const redeemTicket = async (ticket: OpenTicket, options: JoinOptions): Promise<Joined> => {
  const until = performance.now() + options.timeoutMs;
  let refusal: AlthingError | undefined;
  while (performance.now() < until) {
    options.signal.throwIfAborted();
    options.probe();
    for (const candidate of candidatesOf(ticket, options)) {
      try {
        return await redeemAt(candidate, ticket, options);
      } catch (error) {
        const said = toAlthingError(error);
        if (final.has(said.code)) throw said;
        if (said.code === 'cancelled') throw said;
        if (said.code !== 'peer-offline') refusal = said;
      }
    }
    await pause(roundMs, options.signal);
  }
  if (refusal?.code === 'invite-unknown') throw refusal;
  throw new AlthingError(
    'join-unreachable',
    `No member of "${ticket.fabric.genesis.name}" let this peer in within ${Math.round(options.timeoutMs / 1000)} s${refusal ? ` (${refusal.message})` : ''}.`,
  );
};

const candidatesOf = (ticket: OpenTicket, options: JoinOptions): Candidate[] => {
  const named = ticket.peers.flatMap(({ key, addresses }) =>
    addresses.flatMap((address): Candidate[] => {
      const endpoint = endpointOrNone(address);
      return endpoint ? [{ endpoint, meant: (peer) => peer === peerIdOf(key) }] : [];
    }),
  );
  // Whoever can make this tag with its own key knows the fabric's id.
  const heard = options.sightings().flatMap((sighting) =>
    sighting.endpoints.map(
      (endpoint): Candidate => ({
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
  { endpoint, meant }: Candidate,
  { fabric, invite, peers }: OpenTicket,
  options: JoinOptions,
): Promise<Joined> => {
  const channel = await options.dial(endpoint, { timeoutMs: dialTimeoutMs, signal: options.signal });
  const frames = new FrameChannel(channel);
  try {
    if (!meant(channel.remote))
      throw new AlthingError(
        'wrong-peer',
        `${channel.remoteAddress} is not the member that the ticket names.`,
      );
    const self = options.signer.publicKey;
    const proof = await redeem(frames, {
      fabric: fabric.id,
      invite: invite.publicKey,
      proof: invite.sign(joinProofBytes(fabric.id, invite.publicKey, self)),
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

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(new AlthingError('cancelled', 'Joining was given up.'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal.addEventListener('abort', abort, { once: true });
  });
