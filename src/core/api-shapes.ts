/**
 * The JSON shapes that the gateway answers with and that `--json` prints, beside the W3C's own.
 * Relies on ids alone; the gateway writes them, the client reads them.
 */
import type { PeerId } from './ids.ts';

/** A member's role in the fabric. */
export type Role = 'admin' | 'member' | 'guest';
/** What a gateway token may do: look, use Things, or manage the fabric. Each includes the one before. */
export type Scope = 'read' | 'use' | 'manage';

/** Why a peer is out of the fabric for good. */
export interface DepartureInfo {
  how: 'revoked' | 'left' | 'replaced';
  by: PeerId;
  /** RFC 3339, by the clock of who said so. */
  at: string;
  /** Who took its place. */
  successor: PeerId | null;
}

/** `GET /peers`, one entry. Times are RFC 3339, or null where unknown. */
export interface PeerInfo {
  peer: PeerId;
  name: string;
  /** Null for this peer where it is out. */
  role: Role | null;
  /** `unknown`: above 32 members there need be no session; one is made when a Thing there is used. */
  state: 'self' | 'online' | 'offline' | 'unknown';
  rttMs: number | null;
  /** `host:port` of the session, or the first one known. */
  address: string | null;
  lastSeen: string | null;
  /** Where an admin says that it is. */
  room?: string;
  /** How this peer came to be out of the fabric, where it is. */
  gone?: DepartureInfo;
}

/** `GET /things?view=summary`, one entry. */
export interface ThingInfo {
  id: string;
  title: string;
  types: string[];
  peer: PeerId;
  /** Whether it can be used now; null where that will be known when it is tried: its peer's state is `unknown`. */
  online: boolean | null;
  /** What admins call it and where they say that it is, where they do; `title` is what its device says. */
  name?: string;
  room?: string;
}

/** A value that a property was last known to have. */
export interface LastValue {
  value: unknown;
  /** When it came to be known or changed, RFC 3339, by the clock of its device. */
  time: string;
  ageMs: number;
}

/** `GET /things/{id}/shadow`: what was last known of a Thing, by the records that are here. */
export interface ShadowInfo {
  thing: string;
  properties: Record<string, LastValue>;
  /** Properties that have values, which do not fit into a record. */
  omitted: string[];
}

/** `GET /peer`: the answering peer itself. */
export interface SelfInfo {
  peer: PeerId;
  name: string;
  fabric: string;
  fabricName: string;
  role: Role;
  /** Set where this peer is out of the fabric for good. */
  gone: DepartureInfo | null;
  version: string;
  /** `host:port` it listens on. */
  listen: string[];
  gateway: { socket: string; http: string | null };
}

/** `POST /invites`. */
export interface InviteInfo {
  ticket: string;
  id: string;
  role: Role;
  uses: number;
  /** RFC 3339. */
  expires: string;
}

/** `POST /invites` request body. */
export interface InviteRequest {
  role?: 'member' | 'guest';
  uses?: number;
  expiresMs?: number;
  /** A peer, by name or id, whose place the joiner takes; for one use, as a member. */
  replaces?: string;
}

/** `POST /join`. */
export interface JoinInfo {
  peer: PeerId;
  fabric: string;
  role: Role;
  /** By a guest pass: the ids of the Things that may be used now. The peer stays in its own fabric. */
  things?: string[];
}

/** `POST /shares` request body. */
export interface ShareRequest {
  /** Things by id or name. */
  things: string[];
  /** Default: all four. */
  operations?: ('read' | 'write' | 'invoke' | 'subscribe')[];
  /** Names of properties, actions and events; default: all of them. */
  affordances?: string[];
  /** Milliseconds; default one day. */
  forMs?: number;
  /** How many strangers may use it at each device; default 1. */
  uses?: number;
}

/** `POST /shares`: the only time that the pass is seen. */
export interface ShareInfo {
  ticket: string;
  id: string;
  things: string[];
  operations: ('read' | 'write' | 'invoke' | 'subscribe')[];
  uses: number;
  /** RFC 3339. */
  expires: string;
}

/** `GET /shares`, one entry: what this peer has shared and what has not expired. */
export interface ShareEntry extends Omit<ShareInfo, 'ticket'> {
  affordances: string[] | null;
  /** Whether an admin has ended it. */
  ended: boolean;
}

/** `GET /tokens`, one entry. */
export interface TokenInfo {
  id: string;
  scope: Scope;
  created: string;
}

/** `POST /tokens`: the only time that the secret is seen. */
export interface NewToken {
  token: string;
  id: string;
  scope: Scope;
}

/** One line of `GET /activity` (SSE) and of `GET /activity/kept`: what this peer did or saw. */
export interface Activity {
  /** RFC 3339. */
  time: string;
  /** `command`: sent from here; `obeyed`: by a Thing here, for `peer`. */
  kind:
    | 'session-up'
    | 'session-down'
    | 'command'
    | 'obeyed'
    | 'thing-exposed'
    | 'thing-gone'
    | 'member-joined'
    | 'membership-ended'
    | 'script-failed'
    | 'rule-fired'
    | 'rule-ended'
    | 'rule-refused';
  /** The rule, by its key, and which of its firings. */
  rule?: string;
  firing?: string;
  /** The other peer, where there is one. */
  peer?: PeerId;
  thing?: string;
  op?: string;
  name?: string;
  /** `ok`, or an error code; of a rule how its execution ended. */
  outcome?: string;
  /** Round trip of a command sent from here, in milliseconds. */
  rttMs?: number;
  message?: string;
}

/** One thing that `althing doctor` looked at. */
export interface Finding {
  /** What was looked at: `membership`, `clock`, `disk`, `keys`, `network`, `members`, `admins`, `trust`. */
  check: string;
  level: 'problem' | 'warning' | 'ok';
  message: string;
  /** What to do; null where nothing is to be done. */
  advice: string | null;
  /** The member that it is about. */
  peer?: PeerId;
}

/** `GET /doctor`. */
export interface DoctorReport {
  /** Whether no finding is a problem. */
  healthy: boolean;
  findings: Finding[];
}

/** RFC 9457 problem details as the gateway writes them. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  details?: Record<string, unknown>;
}
