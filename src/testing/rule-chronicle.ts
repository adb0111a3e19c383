/**
 * What is seen of a history of rules from outside: what Things said and did, what became durable, who came and went.
 * Relies on the lab to tell; judges nothing, which is `rule-promises.ts`' part.
 */
import type { PeerId } from '../core/ids.ts';
import type { ExecutionInfo } from '../core/rule-shapes.ts';
import type { RuleChanges } from '../peer/rules/rule-store.ts';
import type { Rule } from '../rules/rule.ts';
import type { RuleLab } from './rule-lab.ts';
import type { LabPeer, LabWitness } from './rule-lab-peer.ts';
import type { LabAct, LabSaying } from './rule-lab-things.ts';

/** Whoever came, went, or met: all times are true ones. */
export interface Trouble {
  readonly atMs: number;
  readonly peer: PeerId;
  /** The other end of a session that began or ended; absent where the peer itself or its Things came or went. */
  readonly other?: PeerId;
  /** Whether the peer was up then, and all others that were up had sessions with one another. */
  readonly isUp: boolean;
  readonly areOthersMet: boolean;
  /** Whether all others that were up had a session with it, as far as they knew. */
  readonly isSeen: boolean;
}

/** What one peer's disk said of a firing. */
export interface Kept {
  readonly peer: PeerId;
  readonly firing: string;
  readonly firstMs: number;
  lastMs: number;
  /** The last word; absent where only its run was kept, which waits for its turn. */
  info?: ExecutionInfo;
}

/** A peer's version of a rule from a moment on; undefined where there is none, or it is disabled. */
export interface Learned {
  readonly atMs: number;
  readonly peer: PeerId;
  readonly key: string;
  readonly rule: Rule | undefined;
}

/** Something that a Thing said, with the rules that its peer had then. */
export interface Said extends LabSaying {
  readonly atMs: number;
  readonly peer: PeerId;
}

/** The chronicle of one history. */
export class RuleChronicle implements LabWitness {
  lab!: RuleLab;
  readonly troubles: Trouble[] = [];
  readonly learnt: Learned[] = [];
  readonly sayings: Said[] = [];
  readonly kept = new Map<string, Kept>();
  /** Runs that were on the disk of a peer that started. */
  resumed = 0;
  /** Called at each point at which a peer's power may go. */
  at: (peer: LabPeer, point: string) => void = () => {};

  /** What Things began. */
  get acts(): readonly LabAct[] {
    return this.lab.acts;
  }

  get #nowMs(): number {
    return this.lab.clock.now();
  }

  said(peer: LabPeer, saying: LabSaying): void {
    this.sayings.push({ ...saying, peer: peer.id, atMs: this.#nowMs });
  }

  keeps(peer: LabPeer, { runs = [], executions = [] }: RuleChanges): void {
    for (const [firing, run] of runs) if (run !== null) this.#keep(peer.id, firing);
    for (const info of executions) {
      const kept = this.#keep(peer.id, info.firing);
      if (kept.info?.ended === info.ended) continue;
      kept.info = info;
      kept.lastMs = this.#nowMs;
    }
  }

  found(peer: LabPeer, runs: RuleChanges['runs'] = [], executions: readonly ExecutionInfo[]): void {
    this.resumed += runs.length;
    this.keeps(peer, { runs, executions });
  }

  learned(peer: LabPeer, key: string): void {
    const rule = peer.book.rule(key)?.rule;
    this.learnt.push({ atMs: this.#nowMs, peer: peer.id, key, rule: rule?.enabled ? rule : undefined });
  }

  changed(peer: LabPeer, other?: PeerId): void {
    const { peers, network } = this.lab;
    const others = peers.filter((one) => one !== peer && one.isUp);
    const areOthersMet = others.every((a) => others.every((b) => a === b || network.isOnline(a.id, b.id)));
    const isSeen = others.length > 0 && others.every(({ id }) => network.isOnline(id, peer.id));
    const trouble = { atMs: this.#nowMs, peer: peer.id, isUp: peer.isUp, areOthersMet, isSeen };
    this.troubles.push({ ...trouble, ...(other !== undefined && { other }) });
  }

  #keep(peer: PeerId, firing: string): Kept {
    const key = `${peer} ${firing}`;
    const kept = this.kept.get(key) ?? { peer, firing, firstMs: this.#nowMs, lastMs: this.#nowMs };
    this.kept.set(key, kept);
    return kept;
  }
}
