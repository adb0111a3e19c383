/**
 * Triggers of peers and Things that come and go, as this peer's own sessions show them.
 * Relies on the world for who is there. What is there when this peer starts has not come: the first half minute shows
 * only how things stand.
 */
import { toHex } from '../../core/bytes.ts';
import type { PeerId } from '../../core/ids.ts';
import { presenceFiring } from '../../rules/placement.ts';
import { type Rule, type Trigger, unresolvedName } from '../../rules/rule.ts';
import { triggerId } from './firing.ts';
import type { PendingFirings } from './pending-firings.ts';
import type { RuleWorld } from './rule-world.ts';

const settleMs = 30_000;

interface Watched {
  readonly rule: string;
  readonly id: string;
  readonly kind: 'peer' | 'thing';
  readonly who: string;
  readonly goes: 'online' | 'offline';
  readonly forMs: number;
  readonly signature: string;
  cancelFor?: () => void;
}

/** All presence triggers. */
export class PresenceTriggers {
  readonly #world: RuleWorld;
  readonly #pending: PendingFirings;
  readonly #watched = new Map<string, Watched>();
  /** How each peer or Thing was seen last. */
  readonly #seen = new Map<string, boolean>();
  #settledMs: number;
  #cancelSettling: (() => void) | undefined;

  constructor(world: RuleWorld, pending: PendingFirings) {
    this.#world = world;
    this.#pending = pending;
    this.#settledMs = world.now() + settleMs;
    this.#cancelSettling = world.schedule(settleMs, () => {
      this.#cancelSettling = undefined;
      this.#settledMs = 0;
      this.look();
    });
  }

  /** Watches what is to be watched now, and nothing else. */
  sync(rules: Iterable<{ readonly key: string; readonly rule: Rule }>): void {
    const keys = new Set<string>();
    for (const { key: rule, rule: parsed } of rules)
      for (const [index, trigger] of parsed.triggers.entries()) {
        const coming = comingOf(trigger);
        if (!coming || unresolvedName(coming.who) !== undefined) continue;
        const id = triggerId(trigger, index);
        const key = `${rule}/${id}`;
        keys.add(key);
        const signature = JSON.stringify(trigger);
        const known = this.#watched.get(key);
        if (known?.signature === signature) continue;
        known?.cancelFor?.();
        this.#watched.set(key, { rule, id, ...coming, signature });
      }
    for (const [key, watched] of this.#watched) {
      if (keys.has(key)) continue;
      watched.cancelFor?.();
      this.#watched.delete(key);
    }
    const subjects = new Set([...this.#watched.values()].map(({ who }) => who));
    for (const who of this.#seen.keys()) if (!subjects.has(who)) this.#seen.delete(who);
    this.look();
  }

  /** Somebody or something may have come or gone. */
  look(): void {
    const settling = this.#settledMs > 0 && this.#world.now() < this.#settledMs;
    const changed = new Set<string>();
    for (const { who, kind } of this.#watched.values()) {
      if (changed.has(who)) continue;
      const isThere = this.#isThere(kind, who);
      const before = this.#seen.get(who);
      // Who is not there yet may only not have been met yet.
      if (isThere === before || (before === undefined && settling && !isThere)) continue;
      this.#seen.set(who, isThere);
      if (before !== undefined) changed.add(who);
    }
    for (const watched of this.#watched.values())
      if (changed.has(watched.who)) this.#changed(watched, this.#seen.get(watched.who)!);
  }

  close(): void {
    this.#cancelSettling?.();
    for (const { cancelFor } of this.#watched.values()) cancelFor?.();
    this.#watched.clear();
  }

  #isThere(kind: 'peer' | 'thing', who: string): boolean {
    const { things, presence, self } = this.#world;
    if (kind === 'peer') return who === self || presence.isOnline(who) === true;
    const speaker = things.td(who) && things.speakerOf(who);
    if (speaker === undefined) return false;
    return speaker === self ? things.isHere(who) : presence.isOnline(speaker) === true;
  }

  #changed(watched: Watched, isThere: boolean): void {
    watched.cancelFor?.();
    delete watched.cancelFor;
    if (isThere !== (watched.goes === 'online')) return;
    if (watched.forMs === 0) this.#offer(watched);
    else
      watched.cancelFor = this.#world.schedule(watched.forMs, () => {
        delete watched.cancelFor;
        this.#offer(watched);
      });
  }

  #offer({ rule, id, kind, who, goes }: Watched): void {
    const book = this.#world.book.rule(rule);
    if (!book?.rule.enabled) return;
    const not: PeerId | undefined = kind === 'peer' ? who : this.#world.things.speakerOf(who);
    const nonce = toHex(this.#world.crypto.randomBytes(6));
    this.#pending.offer(
      {
        rule,
        firing: presenceFiring(rule, id, { id: who, nonce, goes }),
        clock: this.#world.stamp(),
        atMs: this.#world.now(),
        trigger: { kind, id, goes, ...(kind === 'peer' ? { peer: who } : { thing: who }) },
        chain: [],
        isPlaced: true,
      },
      { steps: book.rule.steps, ...(not !== undefined && not !== this.#world.self && { not }) },
    );
  }
}

const comingOf = (trigger: Trigger): Pick<Watched, 'kind' | 'who' | 'goes' | 'forMs'> | undefined => {
  const kind = 'peer' in trigger ? 'peer' : 'thing';
  const coming = 'peer' in trigger ? trigger.peer : 'thing' in trigger ? trigger.thing : undefined;
  return coming && { kind, who: coming.name, goes: coming.goes, forMs: coming.forMs ?? 0 };
};
