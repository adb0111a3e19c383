/**
 * How this peer answers for its fabric: who may come in, who is let in, and which admissions an admin confirms.
 * Relies on the replica for what is known and on `fabric/` for what follows from it.
 */
import type { DepartureInfo, Role } from '../core/api-shapes.ts';
import { equalBytes, toHex } from '../core/bytes.ts';
import type { Crypto } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf, publicKeyOf } from '../core/ids.ts';
import { type Authority, computeAuthority } from '../fabric/authority.ts';
import { verifyJoinProof } from '../fabric/control.ts';
import type { Member } from '../fabric/members.ts';
import type { Gatekeeper, Redemption } from '../net/handshake.ts';
import type { Draft } from '../replica/draft.ts';
import { openRecord, type SignedRecord } from '../replica/record.ts';
import type { Replica } from '../replica/replica.ts';
import { atTheDoor } from './door-proof.ts';
import { departureProof } from './governance/departure-proof.ts';
import { departureOf } from './governance/member-list.ts';
import { replacementDrafts } from './governance/replacement.ts';
import { revocationDraft } from './governance/revocation-draft.ts';
import { strandedMembers } from './governance/stranded.ts';

/** Peers that proved themselves by records which have not arrived here yet. */
const maxProvisional = 256;

export interface MembershipOptions {
  readonly crypto: Crypto;
  readonly now: () => number;
  /** Raw records that prove this peer, for the time before its replica holds them. */
  readonly storedProof: readonly Uint8Array[];
  /** Raw records by which another peer showed this one that it is out; none where none did. */
  readonly dismissal: readonly Uint8Array[];
  /** Another peer showed by these records that this one is out. */
  readonly dismissed: (records: readonly Uint8Array[]) => void;
  /** A stranger was let in here. */
  readonly admitted: (peer: PeerId, role: Role) => void;
}

/** A peer that proved itself by records of its own, and what follows from them and from what was known then. */
interface Provisional {
  readonly proof: readonly SignedRecord[];
  readonly role: Role | undefined;
  readonly authority: Authority;
}

/** The fabric's door at this peer. */
export class Membership implements Gatekeeper {
  readonly #replica: Replica;
  readonly #options: MembershipOptions;
  readonly #provisional = new Map<PeerId, Provisional>();
  /** What proves this peer while its replica does not. */
  #ownProof: readonly Uint8Array[];
  #confirming = false;
  /** What another has shown this peer of its being out, and what follows from it and all that is known now. */
  #dismissal: readonly SignedRecord[];
  #dismissed: { readonly authority: Authority; readonly departure: DepartureInfo | undefined } | undefined;

  constructor(replica: Replica, options: MembershipOptions) {
    this.#replica = replica;
    this.#options = options;
    this.#ownProof = options.storedProof;
    this.#dismissal = this.#open(options.dismissal);
    const stored = this.#open(options.storedProof);
    if (!this.#holds(stored)) this.#provisional.set(replica.self, this.#judge(replica.self, stored));
  }

  get fabric(): Uint8Array {
    return this.#replica.fabric.id;
  }

  /** How this peer came to be out for good, by its records or by what another has shown it. */
  get departure(): DepartureInfo | undefined {
    const { self, authority } = this.#replica;
    const known = departureOf(self, authority);
    if (known || this.#dismissal.length === 0) return known;
    // What has come since may have undone it: who put this peer out was a thief, and is cut off.
    if (this.#dismissed?.authority !== authority)
      this.#dismissed = { authority, departure: this.#departureBy(this.#dismissal) };
    return this.#dismissed.departure;
  }

  farewell(peer: PeerId): readonly Uint8Array[] {
    const { authority, control } = this.#replica;
    return authority.gone.has(peer) ? departureProof(peer, authority, control) : [];
  }

  dismissed(records: readonly Uint8Array[]): void {
    const shown = this.#open(records);
    if (!this.#departureBy(shown) || this.departure) return;
    this.#dismissal = shown;
    this.#dismissed = undefined;
    this.#options.dismissed(records);
  }

  #departureBy(records: readonly SignedRecord[]): DepartureInfo | undefined {
    return departureOf(this.#replica.self, this.#authorityWith(records));
  }

  /**
   * A peer's role by what is known or was proven to us; undefined for strangers. Of this peer itself, what others have
   * shown counts beside what it holds: one that is a guest now is sent no records.
   */
  roleOf(peer: PeerId): Role | undefined {
    const { authority, self } = this.#replica;
    const role = authority.members.get(peer)?.role;
    let provisional = this.#provisional.get(peer);
    if (!provisional || (role !== undefined && peer !== self)) return role;
    if (provisional.authority !== authority) {
      if (this.#holds(provisional.proof)) {
        this.#provisional.delete(peer);
        return role;
      }
      // What arrived since may have displaced it: more were let in than the invite has uses.
      provisional = this.#judge(peer, provisional.proof);
      this.#provisional.set(peer, provisional);
    }
    return provisional.role;
  }

  /** All who belong by what is known; before the first records have arrived, by this peer's own proof. */
  members(): Iterable<PeerId> {
    const { authority, self } = this.#replica;
    const known = authority.members.has(self) ? authority : this.#authorityWith(this.#open(this.#ownProof));
    return known.members.keys();
  }

  /** Whether there is one other member that is no guest. */
  get isPair(): boolean {
    let others = 0;
    for (const peer of this.members()) {
      if (peer !== this.#replica.self && this.roleOf(peer) !== 'guest') others += 1;
      if (others > 1) return false;
    }
    return others === 1;
  }

  proof(): readonly Uint8Array[] {
    const { self, authority } = this.#replica;
    const known = authority.members.get(self);
    return known && known.role === this.roleOf(self) ? atTheDoor(rawOf(known.proof)) : this.#ownProof;
  }

  /** Takes in what another peer shows of this one's membership. Returns whether its role is another one now. */
  learn(proof: readonly Uint8Array[]): boolean {
    const { self } = this.#replica;
    const shown = this.#open(proof);
    if (this.#holds(shown)) return false;
    const before = this.roleOf(self);
    const learned = this.#judge(self, [...this.#open(this.#ownProof), ...shown]);
    if (learned.role === undefined || learned.role === before) return false;
    this.#provisional.set(self, learned);
    this.#ownProof = proof;
    return true;
  }

  isPlain(peer: PeerId, proof: readonly Uint8Array[]): boolean {
    const { members, gone } = this.#replica.authority;
    return members.has(peer) || (proof.length === 0 && !gone.has(peer));
  }

  check(peer: PeerId, proof: readonly Uint8Array[]): void {
    const { authority } = this.#replica;
    if (authority.members.has(peer)) return;
    const provisional = this.#judge(peer, this.#open(proof));
    if (provisional.role === undefined && authority.gone.has(peer))
      throw new AlthingError('revoked', `${peer} is out of this fabric for good, and so is its key.`);
    if (provisional.role === undefined)
      throw new AlthingError('not-a-member', `${peer} could not prove that it belongs to this fabric.`);
    this.#remember(peer, provisional);
  }

  belongs(peer: PeerId): boolean {
    return this.roleOf(peer) !== undefined;
  }

  /** What is known of the fabric together with these raw records. Throws `record-invalid`. */
  authorityWith(proof: readonly Uint8Array[]): Authority {
    return this.#authorityWith(this.#open(proof));
  }

  async admit(redemption: Redemption): Promise<readonly Uint8Array[]> {
    const { joiner } = redemption;
    if (this.roleOf(this.#replica.self) === 'guest')
      throw new AlthingError('forbidden', 'A guest cannot let others in: ask another member.');
    // The invite may be news here: its admin may have gone before anybody heard of it.
    const known = this.#replica.authority.invites.has(toHex(redemption.invite));
    const shown = known ? [] : this.#open([...this.proof(), ...redemption.records]);
    const isNew = !this.#authorityWith(shown).members.has(joiner);
    await this.#replica.write(() => this.#admission(redemption, this.#authorityWith(shown)));
    const member = this.#authorityWith(shown).members.get(joiner);
    if (!member) throw new AlthingError('invite-used-up', 'Others used the invite up in the same moment.');
    if (isNew) this.#options.admitted(joiner, member.role);
    return atTheDoor(rawOf(member.proof));
  }

  /**
   * An admin's peer confirms the admissions that stand, so that nothing later displaces them, and puts out those whom an
   * admin let in after the cut that put him out. Call on every change.
   */
  async confirm(): Promise<void> {
    const { authority, self } = this.#replica;
    if (this.#confirming || authority.members.get(self)?.role !== 'admin') return;
    if (authority.unconfirmed.length === 0 && strandedMembers(this.#replica).length === 0) return;
    this.#confirming = true;
    try {
      await this.#replica.write(() => [
        ...this.#replica.authority.unconfirmed.flatMap((member) => this.#confirmation(member)),
        ...strandedMembers(this.#replica).map((peer) => revocationDraft('peer', peer)),
      ]);
    } finally {
      this.#confirming = false;
    }
  }

  /** The admin's word for a member; where its invite said so, also that it takes another's place. */
  #confirmation({ peer, since, admitted }: Member): Draft[] {
    if (!admitted) return [];
    const joiner = publicKeyOf(peer);
    const value = { type: 'confirmation', ...admitted, joiner, admitted: since };
    const old = this.#replica.authority.invites.get(toHex(admitted.invite))?.invite.replaces;
    const replacement = old ? replacementDrafts(this.#replica, peerIdOf(old), peer) : [];
    return [{ collection: 'member', key: peer, value }, ...replacement];
  }

  #remember(peer: PeerId, provisional: Provisional): void {
    for (const known of this.#provisional.keys()) {
      if (this.#provisional.size < maxProvisional) break;
      if (known !== this.#replica.self) this.#provisional.delete(known);
    }
    this.#provisional.set(peer, provisional);
  }

  #admission({ invite, joiner, proof }: Redemption, authority: Authority): Draft[] {
    const { fabric } = this.#replica;
    if (authority.members.has(joiner)) return [];
    if (authority.gone.has(joiner))
      throw new AlthingError(
        'revoked',
        `The key ${joiner} is out of this fabric for good. Take a new one there (althing leave), and join with a new invite.`,
      );
    const standing = authority.invites.get(toHex(invite));
    if (!standing && this.#wasMade(invite))
      throw new AlthingError(
        'invite-revoked',
        'This invite was ended, or whoever came by it was put out: ask an admin for a new one.',
      );
    if (!standing)
      throw new AlthingError(
        'invite-unknown',
        'No invite of this ticket is known here: it may be from elsewhere.',
      );
    const claim = { invite, joiner: publicKeyOf(joiner), proof };
    if (!verifyJoinProof(fabric.id, claim, this.#options.crypto))
      throw new AlthingError('proof-invalid', `${joiner} did not prove that it holds the invite.`);
    const now = this.#options.now();
    if (now > standing.invite.expires)
      throw new AlthingError(
        'invite-expired',
        `The invite expired at ${new Date(standing.invite.expires).toISOString()}.`,
      );
    if (standing.used >= standing.invite.uses)
      throw new AlthingError('invite-used-up', `All ${standing.invite.uses} uses of the invite are taken.`);
    return [{ collection: 'member', key: joiner, value: { type: 'admission', ...claim } }];
  }

  /** Whether there ever was an invite with this key. */
  #wasMade(invite: Uint8Array): boolean {
    return this.#replica.control.some(
      ({ statement }) => statement?.type === 'invite' && equalBytes(statement.invite, invite),
    );
  }

  #open(proof: readonly Uint8Array[]): SignedRecord[] {
    return proof
      .map((raw) => openRecord(raw, this.fabric, this.#options.crypto))
      .filter((record) => record.stream === 'control');
  }

  /** What a peer is by its proof and all that is known now. */
  #judge(peer: PeerId, proof: readonly SignedRecord[]): Provisional {
    const { authority } = this.#replica;
    return { proof, role: this.#authorityWith(proof).members.get(peer)?.role, authority };
  }

  /** Whether the replica holds all of these. */
  #holds(proof: readonly SignedRecord[]): boolean {
    return this.#missing(proof).length === 0;
  }

  #missing(proof: readonly SignedRecord[]): SignedRecord[] {
    if (proof.length === 0) return [];
    const known = new Set(this.#replica.control.map((record) => record.hash));
    return proof.filter((record) => !known.has(record.hash));
  }

  #authorityWith(proof: readonly SignedRecord[]): Authority {
    const { authority, control, fabric, fraudCuts } = this.#replica;
    const more = this.#missing(proof);
    // Whoever shows what is known already costs nothing more.
    if (more.length === 0) return authority;
    return computeAuthority(fabric, [...control, ...more], this.#options.crypto, fraudCuts);
  }
}

/** The bytes of records that membership was computed from. */
export const rawOf = (records: readonly unknown[]): Uint8Array[] =>
  (records as SignedRecord[]).map((record) => record.raw);

/** The raw records in a note; none where it holds something else. */
export const rawList = (value: unknown): Uint8Array[] =>
  Array.isArray(value) ? value.filter((raw) => raw instanceof Uint8Array) : [];
