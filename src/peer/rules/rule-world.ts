/**
 * Everything that the engine of rules needs of the peer around it: time, Things, presence, other peers' desks, a store.
 * Relies on types alone, so that a simulator can be that peer and turn the clock by hand.
 */
import type { Activity } from '../../core/api-shapes.ts';
import type { Crypto } from '../../core/crypto.ts';
import type { PeerId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { CauseChain } from '../../rules/causes.ts';
import type { Selection } from '../../rules/rule.ts';
import type { ThingConnector } from '../../thing/operations.ts';
import type { ThingDescription } from '../../thing/thing-description.ts';
import type { RuleBook } from './rule-book.ts';
import type { DeskCalls } from './rule-desk.ts';
import type { RuleStore } from './rule-store.ts';

/** A Thing with the peer that exposes it now. */
export interface PlacedThing {
  readonly thing: string;
  readonly peer: PeerId;
}

/** The Things of the fabric as far as this peer knows them. */
export interface RuleThings {
  /** Whether this peer exposes the Thing now. */
  isHere(thing: string): boolean;
  td(thing: string): ThingDescription | undefined;
  /** The peer that exposes the Thing now; undefined for what is no id of a Thing. */
  speakerOf(thing: string): PeerId | undefined;
  /** All that fit, those with `online` as the selection says. */
  find(selection: Selection): PlacedThing[];
  /** The value that its device saw last, with its age; undefined where the fabric has heard of none. */
  lastKnown(thing: string, property: string): { readonly value: unknown; readonly ageMs: number } | undefined;
  /** What people call a Thing or a peer. */
  nameOf(id: string): string;
}

/** Who is there. */
export interface RulePresence {
  /** Whether this peer belongs to the fabric, as more than a guest: only then it runs rules. */
  isMember(): boolean;
  /** The members with a session, this peer included; no guests. */
  live(): ReadonlySet<PeerId>;
  /** Undefined where this peer keeps no session with it. */
  isOnline(peer: PeerId): boolean | undefined;
  /** Milliseconds to a peer and back; undefined where that is not known. */
  rttMs(peer: PeerId): number | undefined;
}

/** What the engine keeps on disk. */
export type RuleKeeping = Pick<RuleStore, 'write' | 'runs' | 'triggers' | 'executions' | 'hasExecution'>;

/** Asks another peer's rule desk, or this one's; throws what it throws, and what the way to it can give. */
export type AskPeer = <Name extends keyof DeskCalls>(
  peer: PeerId,
  question: {
    readonly name: Name;
    readonly input: DeskCalls[Name]['input'];
    readonly timeoutMs: number;
  },
) => Promise<DeskCalls[Name]['answer']>;

/** The peer around an engine. */
export interface RuleWorld {
  readonly self: PeerId;
  readonly crypto: Pick<Crypto, 'sha256' | 'randomBytes'>;
  readonly logger: Logger;
  /** The fabric's time, milliseconds since 1970. */
  now(): number;
  /** False where the own clock cannot be right and nobody told another: planned times have no meaning then. */
  isTimeKnown(): boolean;
  /** Calls back once after about so many milliseconds, with 0 in the next turn, until the returned function is called. */
  schedule(delayMs: number, callback: () => void): () => void;
  /** A new stamp of the fabric's hybrid clock. */
  stamp(): number;
  readonly book: RuleBook;
  readonly store: RuleKeeping;
  readonly connector: ThingConnector;
  readonly things: RuleThings;
  readonly presence: RulePresence;
  readonly ask: AskPeer;
  /** Sets a named value of the fabric. Throws the store's codes. */
  setValue(name: string, value: unknown): Promise<void>;
  /** What led to what an affordance of a Thing here says now. */
  causeOf(thing: string, affordance: string): CauseChain;
  tell(activity: Omit<Activity, 'time'>): void;
}
