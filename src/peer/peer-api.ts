/**
 * What a running peer offers to the gateway, to the adapters' loader and to programs that embed it.
 * Relies on the seams of `thing/` and the shapes of `core/`; `peer.ts` implements it.
 */
import type {
  Activity,
  DoctorReport,
  InviteInfo,
  InviteRequest,
  JoinInfo,
  NewToken,
  PeerInfo,
  Scope,
  SelfInfo,
  ShadowInfo,
  ThingInfo,
  TokenInfo,
} from '../core/api-shapes.ts';
import type { LeaveInfo } from '../core/governance-shapes.ts';
import type { PeerId } from '../core/ids.ts';
import type { ThingConnector } from '../thing/operations.ts';
import type { Cause, ThingFilter, Wot } from '../thing/scripting-api.ts';
import type { ThingDescription } from '../thing/thing-description.ts';

import type { GovernanceApi } from './governance/governance-api.ts';
import type { RulesApi } from './rules/rules-api.ts';
import type { PassesApi } from './sharing/passes.ts';

/** A change in what the fabric's directory of Things says. */
export interface DirectoryChange {
  readonly kind: 'thing_created' | 'thing_updated' | 'thing_deleted';
  readonly td: ThingDescription;
}

/** Tokens for the gateway; only hashes of them are kept. */
export interface TokenApi {
  /** Throws `too-many`, `bad-input`. The secret is seen in this answer and never again. */
  create(scope: Scope): Promise<NewToken>;
  list(): TokenInfo[];
  /** Throws `token-unknown`. */
  revoke(id: string): Promise<void>;
  /** The scope of a bearer token, or undefined where there is none such. Compares hashes. */
  check(token: string): Scope | undefined;
}

/** A running peer. `request` and `stream` take Thing ids only: resolve names first. */
export interface PeerApi extends ThingConnector {
  readonly id: PeerId;
  readonly passes: PassesApi;
  /**
   * The Scripting API over this peer, for a caller of this origin. `trusted` is for TDs that this program makes and its
   * tests check: they are exposed without a check of their own. Values are checked all the same.
   */
  wotFor(origin: Cause['origin'], options?: { trusted?: boolean }): Wot;
  newCause(origin: Cause['origin']): Cause;
  self(): SelfInfo;
  peers(): PeerInfo[];
  /** TDs of the whole fabric from the local replica, `althing:` forms only. Works offline. */
  thingDescriptions(filter?: ThingFilter): ThingDescription[];
  things(filter?: ThingFilter): ThingInfo[];
  /** Resolves when the Things that are known have been read from their records: listing thousands is quick then. */
  thingsRead(): Promise<void>;
  /** A Thing by id, unique title or local name, or `peer/name`. Throws `thing-unknown`, `name-ambiguous`. */
  resolveThing(name: string): ThingDescription;
  /** The last known values of a Thing, by id, online or not. Throws `thing-unknown`, `value-unknown`. */
  lastKnown(thing: string): ShadowInfo;
  /** Calls back on every change of the directory until the returned function is called. */
  onDirectoryChange(listener: (change: DirectoryChange) => void): () => void;
  /** Calls back with everything worth telling a person, until the returned function is called. */
  onActivity(listener: (activity: Activity) => void): () => void;
  /** Adds to what `onActivity` tells: for adapters. */
  report(activity: Omit<Activity, 'time'>): void;
  /** Throws `not-admin`, `bad-input`. */
  invite(request: InviteRequest): Promise<InviteInfo>;
  /**
   * By an invite, the peer changes its fabric in place; by a guest pass it stays in its own, and Things are added.
   * Throws the ticket, invite and pass codes, `already-in-fabric`, `join-unreachable`.
   */
  join(ticket: string, options?: { name?: string; signal?: AbortSignal }): Promise<JoinInfo>;
  /** Members, roles, invites, grants, revocation, recovery. */
  readonly governance: GovernanceApi;
  /** Rules, what they did and why, scenes, the place of the fabric. */
  readonly rules: RulesApi;
  /**
   * Tells the members that this peer leaves, stops it and puts its key and records away: the next start on this home
   * makes another peer. The only admin must `confirm`: throws `admins-too-few` otherwise; and the store's codes.
   */
  leave(options?: { confirm?: boolean }): Promise<LeaveInfo>;
  /** Tokens for the gateway. */
  readonly tokens: TokenApi;
  /**
   * Writes all that is stored into a new file in the home; resolves with its path. Whoever asked removes it.
   * Throws `disk-full`, `home-read-only`, `disk-failed`, `store-corrupt`.
   */
  snapshot(): Promise<string>;
  /** Shown once: throws `recovery-shown` afterwards, and on peers that did not found the fabric. */
  recoveryWords(): Promise<string>;
  /** What is wrong with this peer and what to do. Throws `disk-failed` where the home cannot be looked at. */
  doctor(): Promise<DoctorReport>;
  stop(): Promise<void>;
}
