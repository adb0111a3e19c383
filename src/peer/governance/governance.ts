/**
 * How people govern the fabric from this peer: it looks up whom they mean, checks the role, and writes the statement.
 * Relies on the replica for what stands and on `admin-changes.ts` for what needs more than one admin.
 */

import type { DepartureInfo, Role } from '../../core/api-shapes.ts';
import { fromHex, toHex } from '../../core/bytes.ts';
import type { Crypto } from '../../core/crypto.ts';
import { AlthingError, toAlthingError } from '../../core/errors.ts';
import type {
  AdminChangeInfo,
  GrantInfo,
  GrantRequest,
  InviteEntry,
  LabelInfo,
  LabelRequest,
  MemberInfo,
  RecoverInfo,
  RecoverRequest,
  ReplacementInfo,
  RestrictionInfo,
  RevocationInfo,
  RoleInfo,
} from '../../core/governance-shapes.ts';
import { isPeerId, type PeerId, publicKeyOf } from '../../core/ids.ts';
import type { StandingGrant } from '../../fabric/permissions.ts';
import type { Draft } from '../../replica/draft.ts';
import type { Replica } from '../../replica/replica.ts';
import { type PeerNames, resolvePeer } from '../peer-names.ts';
import { changeAdmins } from './admin-changes.ts';
import type { CutOptions, GovernanceApi } from './governance-api.ts';
import { grantStatement } from './grant-request.ts';
import { writeLabel } from './labels.ts';
import { grantInfo, inviteList, memberList } from './member-list.ts';
import { recoverAdmins } from './recover.ts';
import { replacementDrafts } from './replacement.ts';
import { revocationDraft } from './revocation-draft.ts';
import { strandedMembers } from './stranded.ts';

export interface GovernanceOptions {
  /** The replica of the fabric that runs now. */
  readonly replica: () => Replica;
  readonly crypto: Crypto;
  readonly now: () => number;
  readonly names: PeerNames;
  /** The id of the Thing that a name means. Throws `thing-unknown`, `name-ambiguous`. */
  readonly thingNamed: (name: string) => string;
  readonly isOnline: (peer: PeerId) => boolean;
  /** How this peer came to be out, where it is: the records that say so need not be here. */
  readonly departure: () => DepartureInfo | undefined;
}

const done: AdminChangeInfo = { inForce: true, needs: 0, waitingFor: [] };
/** Grants may be named by the beginning of their id. */
const shortestGrantId = 8;

/** Governing, over one peer's replica. */
export class Governance implements GovernanceApi {
  readonly #options: GovernanceOptions;

  constructor(options: GovernanceOptions) {
    this.#options = options;
  }

  members(options: { all?: boolean } = {}): MemberInfo[] {
    const { authority, self } = this.#replica;
    const { label, claimed } = this.#options.names;
    const departure = this.#options.departure();
    return memberList(authority, (peer) => label(peer) ?? claimed(peer), options).map((member) =>
      departure && member.peer === self ? { ...member, role: null, gone: departure } : member,
    );
  }

  invites(): InviteEntry[] {
    return inviteList(this.#replica.authority, this.#options.now());
  }

  grants(): GrantInfo[] {
    return this.#replica.authority.grants.map(grantInfo);
  }

  async grant(request: GrantRequest): Promise<GrantInfo> {
    this.#requireAdmin();
    const { key, value } = grantStatement(request, {
      peer: (name) => this.#member(name),
      thing: this.#options.thingNamed,
      nowMs: this.#options.now(),
    });
    const [record] = await this.#replica.write(() => [{ collection: 'grant', key, value }]);
    return grantInfo(this.#replica.authority.grants.find(({ id }) => id === record!.hash)!);
  }

  async restrict(thing: string, restricted: boolean): Promise<RestrictionInfo> {
    this.#requireAdmin();
    const id = this.#options.thingNamed(thing);
    await this.#replica.write(() =>
      this.#replica.authority.restrictions.get(id) === restricted
        ? []
        : [{ collection: 'restriction', key: id, value: { type: 'restriction', thing: id, restricted } }],
    );
    return { thing: id, restricted };
  }

  async rename(target: string, request: LabelRequest): Promise<LabelInfo> {
    this.#requireAdmin();
    return writeLabel(this.#replica, this.#labelled(target), request);
  }

  /** The id of the Thing or else of the peer that a name means; one name for both is ambiguous. */
  #labelled(target: string): string {
    const ids: string[] = [];
    for (const find of [this.#options.thingNamed, (name: string) => this.#member(name)])
      try {
        ids.push(find(target));
      } catch (error) {
        const { code } = toAlthingError(error);
        if (code !== 'thing-unknown' && code !== 'peer-unknown') throw error;
      }
    if (ids.length === 1) return ids[0]!;
    if (ids.length === 0)
      throw new AlthingError('thing-unknown', `No Thing and no member is called "${target}".`);
    throw new AlthingError(
      'name-ambiguous',
      `"${target}" is a Thing and a peer, use the id: ${ids.join(', ')}.`,
      {
        details: { candidates: ids },
      },
    );
  }

  async setRole(name: string, role: Role, options: CutOptions = {}): Promise<RoleInfo> {
    this.#requireAdmin();
    const peer = this.#member(name);
    const present = this.#replica.authority.members.get(peer)!.role;
    if (role === 'admin') {
      if (present === 'guest')
        throw new AlthingError(
          'bad-input',
          `A guest cannot become an admin at once: first althing role ${name} member.`,
        );
      if (present === 'admin') return { peer, role, ...done };
      return { peer, role, ...(await this.#changeAdmins({ add: [peer] })) };
    }
    if (present === 'admin') {
      // Said while this peer is an admin for sure: it counts once that one is none.
      await this.#replica.write(() => [roleDraft(peer, role)]);
      const outcome = await this.#changeAdmins({ remove: [{ peer, out: false }], ...options });
      return { peer, role, ...outcome };
    }
    await this.#replica.write(() => (present === role ? [] : [roleDraft(peer, role)]));
    return { peer, role, ...done };
  }

  async revoke(subject: string, options: CutOptions = {}): Promise<RevocationInfo> {
    this.#requireAdmin();
    const { authority } = this.#replica;
    const grant = this.#grantNamed(subject);
    if (grant) {
      const value = { type: 'withdrawal', grant: fromHex(grant.id) };
      return this.#end('grant', grant.id, { collection: 'grant', key: grant.id, value });
    }
    if (authority.admins.has(this.#peerOrNone(subject) ?? '')) return this.#revokeAdmin(subject, options);
    const isKey = isPeerId(subject);
    if (isKey && this.#isInvite(subject))
      return this.#end('invite', subject, revocationDraft('invite', subject));
    // A pass leaves no record before it is ended: a key that is no member's and no invite's can be one.
    if (isKey && !authority.members.has(subject) && !authority.gone.has(subject))
      return this.#end('pass', subject, revocationDraft('pass', subject));
    const peer = this.peerNamed(subject);
    if (authority.gone.has(peer))
      throw new AlthingError('peer-unknown', `${peer} is out of the fabric already: althing members --all.`);
    return this.#end('peer', peer, revocationDraft('peer', peer));
  }

  async replace(old: string, by?: string): Promise<ReplacementInfo> {
    const { self, authority } = this.#replica;
    const from = this.peerNamed(old);
    const to = by === undefined ? self : this.#member(by);
    if (!this.#isAdmin())
      throw new AlthingError(
        'not-admin',
        `Only an admin puts a peer in the place of another. There: althing replace ${from} --with ${to}`,
      );
    if (from === to) throw new AlthingError('bad-input', 'A peer cannot take its own place: name two peers.');
    if (authority.admins.has(from))
      throw new AlthingError(
        'bad-input',
        `${from} is an admin, whom no single admin replaces. First take that from it (althing role ${from} member, or with the 24 words: althing recover), then run this again; make the new device an admin with althing role.`,
      );
    if (authority.members.get(to)?.role === 'guest')
      throw new AlthingError(
        'bad-input',
        `A guest has no Things of its own: first althing role ${to} member.`,
      );
    if (authority.speakerOf(from) === to) return { old: from, new: to };
    await this.#replica.write(() => replacementDrafts(this.#replica, from, to));
    return { old: from, new: to };
  }

  async recover({ words, keep = [], revoke = [], before }: RecoverRequest): Promise<RecoverInfo> {
    const request = {
      words,
      keep: keep.map((name) => this.peerNamed(name)),
      revoke: revoke.map((name) => this.peerNamed(name)),
      ...(before !== undefined && { beforeMs: Date.parse(before) }),
    };
    const info = await recoverAdmins(this.#replica, request, this.#options.crypto);
    await this.#revokeStranded();
    return info;
  }

  /** The member or former member that a name or id means. Throws `peer-unknown`, `name-ambiguous`. */
  peerNamed(name: string): PeerId {
    return resolvePeer(name, this.#replica.authority, this.#options.names);
  }

  async #revokeAdmin(name: string, options: CutOptions): Promise<RevocationInfo> {
    const peer = this.peerNamed(name);
    if (peer === this.#replica.self)
      throw new AlthingError('bad-input', 'A device leaves the fabric by its own word: althing leave.');
    const outcome = await this.#changeAdmins({ remove: [{ peer, out: true }], ...options });
    if (outcome.inForce) await this.#revokeStranded();
    return { what: 'peer', id: peer, ...outcome, unheard: this.#unheard() };
  }

  #changeAdmins(change: Parameters<typeof changeAdmins>[1]): Promise<AdminChangeInfo> {
    return changeAdmins(this.#replica, change, this.#options.crypto);
  }

  async #revokeStranded(): Promise<void> {
    await this.#replica.write(() =>
      strandedMembers(this.#replica).map((peer) => revocationDraft('peer', peer)),
    );
  }

  async #end(what: RevocationInfo['what'], id: string, draft: Draft): Promise<RevocationInfo> {
    await this.#replica.write(() => [draft]);
    return { what, id, ...done, unheard: this.#unheard() };
  }

  /** Members that are out of reach now. */
  #unheard(): PeerId[] {
    const { authority, self } = this.#replica;
    return [...authority.members.values()]
      .filter(({ peer, role }) => peer !== self && role !== 'guest' && !this.#options.isOnline(peer))
      .map(({ peer }) => peer);
  }

  get #replica(): Replica {
    return this.#options.replica();
  }

  #isAdmin(): boolean {
    const { authority, self } = this.#replica;
    return authority.admins.has(self);
  }

  #requireAdmin(): void {
    if (!this.#isAdmin())
      throw new AlthingError('not-admin', 'Only an admin of the fabric can do this, and this peer is none.');
  }

  #peerOrNone(name: string): PeerId | undefined {
    const { members, gone } = this.#replica.authority;
    if (isPeerId(name) && !members.has(name) && !gone.has(name)) return undefined;
    return this.peerNamed(name);
  }

  /** A present member. */
  #member(name: string): PeerId {
    const peer = this.peerNamed(name);
    if (this.#replica.authority.members.has(peer)) return peer;
    throw new AlthingError(
      'peer-unknown',
      `${peer} is out of the fabric, and its key does not come back: the device joins anew with a key of its own.`,
    );
  }

  #isInvite(id: string): boolean {
    const hex = toHex(publicKeyOf(id));
    return this.#replica.control.some(
      ({ statement }) => statement?.type === 'invite' && toHex(statement.invite) === hex,
    );
  }

  #grantNamed(id: string): StandingGrant | undefined {
    if (id.length < shortestGrantId || !/^[0-9a-f]+$/.test(id)) return undefined;
    const found = this.#replica.authority.grants.filter((grant) => grant.id.startsWith(id));
    if (found.length > 1)
      throw new AlthingError(
        'name-ambiguous',
        `${found.length} grants begin with ${id}: give more of the id.`,
      );
    return found[0];
  }
}

const roleDraft = (peer: PeerId, role: 'member' | 'guest'): Draft => ({
  collection: 'member',
  key: peer,
  value: { type: 'role', peer: publicKeyOf(peer), role },
});
