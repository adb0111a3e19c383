/**
 * The JSON shapes of governing a fabric: members, invites, grants, restrictions, admins, recovery.
 * Relies on ids and roles alone; the gateway writes them, the client reads them, `--json` prints them.
 */
import type { DepartureInfo, Role } from './api-shapes.ts';
import type { PeerId } from './ids.ts';

/** An open proposal about one peer, as admins see it. */
export interface ProposedRole {
  /** The id of the set of admins that is proposed. */
  set: string;
  /** What the peer would be. */
  role: 'admin' | 'member' | 'revoked';
  /** Admins who are for it. */
  by: PeerId[];
  /** How many more admins must be. */
  needs: number;
}

/** `GET /members`, one entry. */
export interface MemberInfo {
  peer: PeerId;
  /** What people call it; null where nothing that it said of itself is held any more. */
  name: string | null;
  /** Null for one that is out. */
  role: Role | null;
  /** RFC 3339; null where it is not known. */
  since: string | null;
  /** The id of the invite that it came by; null for the founder. */
  invite: string | null;
  /** Whether a present admin confirmed it, or need not. */
  confirmed: boolean;
  gone: DepartureInfo | null;
  proposed: ProposedRole[];
}

/** `GET /invites`, one entry: an invite that still lets somebody in. */
export interface InviteEntry {
  id: string;
  role: 'member' | 'guest';
  uses: number;
  used: number;
  /** RFC 3339. */
  expires: string;
  by: PeerId;
  /** The peer whose place the joiner takes. */
  replaces: PeerId | null;
}

/** What a grant can allow; `rule`: to write rules that use these Things as far as their author itself may. */
export type GrantOperation = 'read' | 'write' | 'invoke' | 'subscribe' | 'rule';

/** `POST /grants` request body. Exactly one of `things`, `type` and `all` says which Things. */
export interface GrantRequest {
  /** A peer by name or id, `role:guest` or `role:member`. */
  subject: string;
  /** Things by id or name. */
  things?: string[];
  /** Things by `@type`. */
  type?: string;
  all?: boolean;
  /** Default: all but `rule`. */
  operations?: GrantOperation[];
  /** Names of properties, actions and events; default: all of them. */
  affordances?: string[];
  /** RFC 3339; default: at once. */
  from?: string;
  /** Milliseconds from `from` or now on; default: for good. */
  forMs?: number;
}

/** `GET /grants`, one entry. */
export interface GrantInfo {
  id: string;
  /** A peer id, `role:guest` or `role:member`. */
  subject: string;
  /** Ids of Things; empty where it is by type or for all. */
  things: string[];
  types: string[];
  all: boolean;
  operations: GrantOperation[];
  affordances: string[] | null;
  /** RFC 3339, or null. */
  notBefore: string | null;
  expires: string | null;
  by: PeerId;
}

/** `PUT /restrictions/{thing}`. */
export interface RestrictionInfo {
  thing: string;
  restricted: boolean;
}

/** `PUT /labels/{target}` request body: what is left out stays, an empty text removes. */
export interface LabelRequest {
  name?: string;
  room?: string;
}

/** `PUT /labels/{target}`: what a Thing or a peer is called now, and where it is. */
export interface LabelInfo {
  id: string;
  name: string | null;
  room: string | null;
}

/** What became of a change of admins. */
export interface AdminChangeInfo {
  /** Whether it is in force; otherwise it waits for other admins. */
  inForce: boolean;
  /** How many more admins must run the same command. */
  needs: number;
  /** Those who can: admins who are not for it yet. */
  waitingFor: PeerId[];
}

/** `PUT /members/{peer}/role`. */
export interface RoleInfo extends AdminChangeInfo {
  peer: PeerId;
  role: Role;
}

/** `POST /revocations`. */
export interface RevocationInfo extends AdminChangeInfo {
  what: 'peer' | 'invite' | 'pass' | 'grant';
  id: string;
  /** Members that are out of reach now: they hear of it when they next meet one that has. */
  unheard: PeerId[];
}

/** `POST /replacements`. */
export interface ReplacementInfo {
  old: PeerId;
  new: PeerId;
}

/** `POST /leave`. */
export interface LeaveInfo {
  peer: PeerId;
  fabric: string;
  /** Members that were told before the sessions ended. */
  told: PeerId[];
  /** The directory that holds what this device was. */
  archive: string;
}

/** `POST /recover` request body. */
export interface RecoverRequest {
  /** The 24 words. */
  words: string;
  /** Present admins, by name or id, that stay admins beside this device. */
  keep?: string[];
  /** Present admins, by name or id, that are put out of the fabric altogether. */
  revoke?: string[];
  /** RFC 3339; nothing that the removed admins said from then on stands. */
  before?: string;
}

/** `POST /recover`. */
export interface RecoverInfo {
  admins: PeerId[];
  /** Admins until now who are no more. */
  removed: PeerId[];
  /** Of those, the ones that are out of the fabric. */
  revoked: PeerId[];
}
