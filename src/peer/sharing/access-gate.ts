/**
 * Who may use what of this device: each call is asked about when it comes, and what stays open again when that may change.
 * Relies on the fabric's authority and time; one timer watches for the next moment at which a permission begins or ends.
 */
import type { Role } from '../../core/api-shapes.ts';
import { AlthingError } from '../../core/errors.ts';
import { type PeerId, parseThingId } from '../../core/ids.ts';
import { grantsOf, isRestricted, mayCall, maySee } from '../../fabric/access.ts';
import type { Authority } from '../../fabric/authority.ts';
import { judgePass, type Pass } from '../../fabric/pass.ts';
import { coversCall, isOpen, reachesThing, type ScopedThing, type ScopeTime } from '../../fabric/scope.ts';
import type { Visitor } from '../../net/handshake.ts';
import type { RuleCall } from '../../rules/rule-access.ts';
import type { ThingCall } from '../../thing/operations.ts';
import type { InteractionContext } from '../../thing/scripting-api.ts';

/** Who calls, and by what it came in. */
export interface Caller {
  readonly peer: PeerId;
  readonly visitor: Visitor;
}

/** Why a call is made, and with which variables. */
type Why = Pick<InteractionContext, 'cause' | 'uriVariables'>;

export interface AccessGateOptions {
  readonly authority: () => Authority;
  /** The same with what the holder of a guest pass has shown. */
  readonly authorityFor: (pass: Pass) => Authority;
  readonly roleOf: (peer: PeerId) => Role | undefined;
  readonly time: () => ScopeTime;
  /** Whether a rule allows a member this call. */
  readonly ruleAllows: (asked: RuleCall) => boolean;
  /** Whether the author of a rule may not have it make this call, whoever makes it. */
  readonly ruleForbids: (rule: string, thing: ScopedThing, call: ThingCall) => boolean;
  /** What people call a peer. */
  readonly nameOf: (peer: PeerId) => string;
}

/** Something that is open and stands on permissions. */
export interface Watched {
  readonly caller: Caller;
  /** Looks again whether it may stay open, and ends it where not. */
  readonly recheck: () => void;
}

/** The fabric's time may be put right: nothing is left alone for longer than this. */
const longestWaitMs = 60_000;
/** Changes that come in crowds, such as Things exposed at the start, are looked at together. */
const soonMs = 100;

/** The permissions of those who call, now. */
export class AccessGate {
  readonly #options: AccessGateOptions;
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;

  constructor(options: AccessGateOptions) {
    this.#options = options;
  }

  /** Whether this visitor may be here at all. */
  welcomes({ peer, visitor }: Caller): boolean {
    return visitor.kind === 'pass' ? this.#isGood(visitor) : this.#options.roleOf(peer) !== undefined;
  }

  /** Whether a call on a Thing of this device is allowed; `why` is what the caller says of it. */
  allows({ peer, visitor }: Caller, thing: ScopedThing, call: ThingCall, why?: Why): boolean {
    const { authority, roleOf, time, ruleAllows, ruleForbids } = this.#options;
    if (visitor.kind === 'pass') return this.#isGood(visitor) && coversCall(visitor.pass.scope, thing, call);
    const role = roleOf(peer);
    // Who runs a member's rule lends it nothing: not even an admin's device.
    if (why?.cause.step && ruleForbids(why.cause.step.rule, thing, call)) return false;
    if (mayCall(authority(), { peer, role }, thing, call, time())) return true;
    if (!why || role !== 'member') return false;
    const { cause, uriVariables } = why;
    return ruleAllows({ peer, thing, call, cause, hasVariables: Object.keys(uriVariables).length > 0 });
  }

  /** Whether this caller may be one that runs rules. */
  runsRules({ peer, visitor }: Caller): boolean {
    const role = visitor.kind === 'member' ? this.#options.roleOf(peer) : undefined;
    return role === 'admin' || role === 'member';
  }

  /** Whether anything of a Thing may be used by this caller, so that it may know of it. */
  sees({ peer, visitor }: Caller, thing: ScopedThing): boolean {
    const { authority, roleOf, time } = this.#options;
    if (visitor.kind === 'pass') return this.#isGood(visitor) && reachesThing(visitor.pass.scope, thing);
    return maySee(authority(), { peer, role: roleOf(peer) }, thing, time());
  }

  /** Throws `forbidden` or `clock-unknown`, with what is missing and what helps, where `allows` says no. */
  require(caller: Caller, thing: ScopedThing, call: ThingCall, why?: Why): void {
    if (!this.allows(caller, thing, call, why)) throw this.refusal(caller, thing, call);
  }

  /** Why such a call is refused. */
  refusal({ peer, visitor }: Caller, thing: ScopedThing, call: ThingCall): AlthingError {
    const { authority, roleOf, nameOf, time } = this.#options;
    const name = parseThingId(thing.id)?.name ?? thing.id;
    const what = `${call.op}${call.name === undefined ? '' : ` "${call.name}"`} of ${name}`;
    if (visitor.kind === 'pass') {
      const { title } = visitor.pass;
      return new AlthingError('forbidden', `The guest pass "${title}" does not cover ${what}, or has ended.`);
    }
    const role = roleOf(peer);
    const who = nameOf(peer);
    if (role === undefined)
      return new AlthingError('forbidden', `${who} does not belong to this fabric (any more).`);
    const why =
      role === 'guest'
        ? 'it is a guest'
        : isRestricted(authority(), thing)
          ? `${name} is restricted to admins and grants`
          : `it is a ${role}`;
    const unknown =
      !time().known &&
      grantsOf(authority(), { peer, role }).some(({ grant }) => coversCall(grant, thing, call));
    // Not for good: streams are asked for again until the time is known.
    if (unknown)
      return new AlthingError(
        'clock-unknown',
        `${who} may not ${what} yet: this device does not know the time, so grants that begin or end are closed.`,
      );
    return new AlthingError(
      'forbidden',
      `${who} may not ${what}: ${why}, and no grant covers this now. An admin can allow it: althing grant ${who} ${name}`,
    );
  }

  /** Looks at this again whenever permissions change, until the returned function is called. */
  watch(watched: Watched): () => void {
    this.#watched.add(watched);
    this.#schedule(watched.caller);
    return () => {
      this.#watched.delete(watched);
      if (this.#watched.size > 0) return;
      clearTimeout(this.#timer);
      this.#due = Number.POSITIVE_INFINITY;
    };
  }

  /** Authority, roles, Things or the time have changed. */
  recheck(): void {
    for (const watched of [...this.#watched]) watched.recheck();
    clearTimeout(this.#timer);
    this.#due = Number.POSITIVE_INFINITY;
    for (const { caller } of this.#watched) this.#schedule(caller);
  }

  /** Something has changed that others are changing too: looks again in a moment. */
  recheckSoon(): void {
    if (this.#watched.size > 0) this.#wakeIn(soonMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watched.clear();
  }

  #isGood({ pass }: Extract<Visitor, { kind: 'pass' }>): boolean {
    const { authorityFor, time } = this.#options;
    const now = time();
    try {
      judgePass(pass, authorityFor(pass), now);
    } catch (error) {
      // Why it is not good any more is said when the session ends.
      if (error instanceof AlthingError) return false;
      throw error;
    }
    return isOpen(pass.scope, now);
  }

  /** Sees to it that the timer runs by the next moment that matters to this caller. */
  #schedule(caller: Caller): void {
    this.#wakeIn(Math.min(this.#nextChangeMs(caller), longestWaitMs));
  }

  #wakeIn(waitMs: number): void {
    const due = performance.now() + waitMs;
    if (due >= this.#due) return;
    this.#due = due;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.recheck(), waitMs);
    this.#timer.unref();
  }

  /** Milliseconds until something that this caller may use begins or ends. */
  #nextChangeMs({ peer, visitor }: Caller): number {
    const { authority, roleOf, time } = this.#options;
    const scopes =
      visitor.kind === 'pass'
        ? [visitor.pass.scope]
        : grantsOf(authority(), { peer, role: roleOf(peer) }).map(({ grant }) => grant);
    const { ms } = time();
    const ahead = scopes
      .flatMap(({ notBefore, expires }) => [notBefore, expires])
      .flatMap((at) => (at !== null && at > ms ? [at - ms] : []));
    return Math.min(longestWaitMs, ...ahead);
  }
}
