/**
 * Making an invite: a record that lets strangers in within bounds, and the ticket that carries its secret.
 * Relies on the replica for the record; the ticket is seen by the caller and kept nowhere.
 */
import type { InviteInfo, InviteRequest } from '../core/api-shapes.ts';
import type { Crypto } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf, publicKeyOf } from '../core/ids.ts';
import { encodeTicket } from '../fabric/ticket.ts';
import type { Replica } from '../replica/replica.ts';
import { rawOf } from './membership.ts';
import { checkTicketBounds, dayMs } from './ticket-bounds.ts';

const maxUses = 10_000;
const ticketPeers = 3;

export interface InviteOptions {
  readonly replica: Replica;
  readonly crypto: Crypto;
  readonly now: () => number;
  readonly addressesOf: (peer: PeerId) => readonly string[];
  /** The peer that a name or id means. Throws `peer-unknown`, `name-ambiguous`. */
  readonly peerNamed: (name: string) => PeerId;
  /** Peers in session: a ticket names some of them beside this one. */
  readonly online: () => readonly PeerId[];
}

/** Makes an invite (default: one member, one day). Throws `not-admin`, `bad-input`, `peer-unknown`, the store's codes. */
export const createInvite = async (request: InviteRequest, options: InviteOptions): Promise<InviteInfo> => {
  const { replica, crypto, now } = options;
  const { role = 'member', uses = 1, expiresMs = dayMs } = request;
  if (role !== 'member' && role !== 'guest')
    throw new AlthingError('bad-input', `An invite is for a member or a guest, not for "${role}".`);
  checkTicketBounds('An invite', { uses, maxUses, lifetimeMs: expiresMs });
  const self = replica.authority.members.get(replica.self);
  if (self?.role !== 'admin')
    throw new AlthingError('not-admin', 'Only an admin of the fabric makes invites, and this peer is none.');
  const replaced = request.replaces === undefined ? undefined : options.peerNamed(request.replaces);
  if (replaced !== undefined) checkReplaceable(replaced, role, uses, replica);

  const seed = crypto.randomBytes(32);
  const invite = crypto.signer(seed).publicKey;
  const id = peerIdOf(invite);
  const expires = now() + expiresMs;
  const [record] = await replica.write(() => [
    {
      collection: 'member',
      key: id,
      value: {
        ...{ type: 'invite', invite, role, uses, expires },
        ...(replaced !== undefined && { replaces: publicKeyOf(replaced) }),
      },
    },
  ]);
  const named = [replica.self, ...options.online()].slice(0, ticketPeers);
  const ticket = encodeTicket(
    {
      kind: 'invite',
      genesis: replica.fabric.bytes,
      permit: record!.raw,
      proof: rawOf(self.proof),
      seed,
      peers: named.map((peer) => ({
        key: publicKeyOf(peer),
        addresses: options.addressesOf(peer).slice(0, 4),
      })),
    },
    crypto,
  );
  return { ticket, id, role, uses, expires: new Date(expires).toISOString() };
};

const checkReplaceable = (old: PeerId, role: string, uses: number, { authority }: Replica): void => {
  if (role !== 'member' || uses !== 1)
    throw new AlthingError('bad-input', 'One member takes the place of another: one use, role member.');
  if (authority.admins.has(old))
    throw new AlthingError(
      'bad-input',
      `${old} is an admin, whom no single admin replaces: first althing role ${old} member, or the 24 words: althing recover.`,
    );
  if (authority.speakerOf(old) !== old)
    throw new AlthingError('bad-input', `${authority.speakerOf(old)} took the place of ${old} already.`);
};
