/**
 * Who runs a firing, and what it is called: both computed alike by every peer, so that nobody is asked or elected.
 * Relies on SHA-256 for rendezvous hashing (highest random weight) and on ids for the rest.
 */
import { toHex, utf8 } from '../core/bytes.ts';
import { stampOf } from '../core/clock.ts';
import type { Crypto } from '../core/crypto.ts';
import type { PeerId } from '../core/ids.ts';

/** The identity of one firing of one rule, at most 600 characters; equal wherever it is computed. */
export type FiringId = string;

/**
 * The hosts in the order in which they would run what `key` names: the first that is live runs it. A host that comes
 * or goes changes only what it would run itself.
 */
export const rankHosts = (
  key: string,
  hosts: Iterable<PeerId>,
  { sha256 }: Pick<Crypto, 'sha256'>,
): PeerId[] =>
  [...new Set(hosts)]
    .map((host) => ({ host, weight: toHex(sha256(utf8(`althing/placement/1\0${key}\0${host}`))) }))
    .sort((a, b) => (a.weight < b.weight ? 1 : a.weight > b.weight ? -1 : 0))
    .map(({ host }) => host);

/**
 * The peer that runs a timed or presence firing: the highest ranked live one of those that host its targets; where
 * none of them is live, or the rule has no targets with a host, the highest ranked of all that are live.
 */
export const placeFiring = (
  firing: FiringId,
  targetHosts: Iterable<PeerId>,
  live: ReadonlySet<PeerId>,
  crypto: Pick<Crypto, 'sha256'>,
): PeerId | undefined => {
  const hosts = [...targetHosts].filter((host) => live.has(host));
  return rankHosts(firing, hosts.length > 0 ? hosts : live, crypto)[0];
};

/** Of a time trigger: the planned moment (milliseconds since 1970), not when it was noticed. */
export const timedFiring = (rule: string, trigger: string, plannedMs: number): FiringId =>
  `time/${rule}/${trigger}/${plannedMs}`;

/** Of a peer or Thing that came or went: the nonce of the peer's last session start tells one coming from the next. */
export const presenceFiring = (
  rule: string,
  trigger: string,
  who: { readonly id: string; readonly nonce: string; readonly goes: 'online' | 'offline' },
): FiringId => `presence/${rule}/${trigger}/${who.id}/${who.nonce}/${who.goes}`;

/** Of an event or property: where its device's stream stood (the publisher's run and the count since). */
export const streamFiring = (
  rule: string,
  trigger: string,
  from: { readonly thing: string; readonly run: string; readonly seq: number },
): FiringId => `stream/${rule}/${trigger}/${from.thing}/${from.run}/${from.seq}`;

/** By hand: `nonce` is random, made once by who asked. */
export const manualFiring = (rule: string, nonce: string): FiringId => `manual/${rule}/${nonce}`;

/** The rule that a firing id belongs to; undefined for what is no firing id. */
export const ruleOfFiring = (firing: FiringId): string | undefined =>
  /^(?:time|presence|stream|manual)\/([a-z0-9][a-z0-9-]{0,59})\//.exec(firing)?.[1];

/** Whether a firing is one of that rule, and its clock the one that its kind has: a planned one has that of its plan. */
export const isFiringOf = (rule: string, firing: FiringId, clock: number): boolean => {
  if (ruleOfFiring(firing) !== rule) return false;
  const plannedMs = /^time\/.*\/(\d{1,16})$/.exec(firing)?.[1];
  return plannedMs === undefined || stampOf(Number(plannedMs)) === clock;
};

/**
 * Whether this firing is one that nobody begins a second time: no other peer runs it, and its own not again after a
 * restart. Timed and presence firings may be begun by the next in line; a property that has to hold for some time fires
 * once more where its peer stopped in that moment.
 */
export const isBegunOnce = (firing: FiringId): boolean => {
  const parts = firing.split('/');
  return parts[0] === 'manual' || (parts[0] === 'stream' && parts.at(-2) !== lastingRun);
};

/** In place of a stream's run: of a property that has held for some time, counted by when it was due. */
export const lastingRun = 'for';
