/**
 * Runs that any of several peers could run outlive the one that does: another keeps a copy and goes on where that is
 * lost. Relies on the rule desks to hand copies over, and on the devices, which do each step once, whoever asks.
 */
import { decode, encode } from '../../core/codec.ts';
import type { PeerId } from '../../core/ids.ts';
import type { FiringId } from '../../rules/placement.ts';
import { latestMs } from '../../rules/run-schema.ts';
import { isOfRule } from './handed-run.ts';
import { inBackground } from './in-background.ts';
import { type KeptRun, parseKeptRun } from './kept-run.ts';
import type { PlacedRuns } from './rule-runs.ts';
import type { RuleWorld } from './rule-world.ts';
import type { RunDriver } from './run-driver.ts';
import { nextInLine, placementKey } from './targets.ts';

/** The first command waits this long for the other peer at most. */
const firstCopyMs = 300;
const copyTimeoutMs = 5000;
/** A session that comes back within this time was not lost: one whose peer and network are there is back sooner. */
const takeOverAfterMs = 1000;
/** After a restart a run that has somebody standing by waits this long for that one to say what it did. */
const holdMs = 5000;
/** Copies of one member's runs, their bytes, and the bytes of all. */
const maxCopiesOfOne = 32;
const maxBytesOfOne = 1024 * 1024;
const maxBytes = 4 * maxBytesOfOne;
/** A copy of a run that should have ended this long ago is nobody's any more. */
const keptAfterMs = 86_400_000;
/** Firings that are over, or were taken over, and are remembered. */
const maxRemembered = 256;

/** What the owner of the runs does for the standby. */
export interface StandbyOwner {
  driver(firing: FiringId): RunDriver | undefined;
  /** Whether the firing runs or ran here. */
  has(firing: FiringId): boolean;
  /** Whether the firing was executed here to its end. */
  isDone(firing: FiringId): boolean;
  /** Goes on with a run. */
  adopt(run: KeptRun): void;
  /** A kept run of this peer is another's now. */
  yieldTo(run: KeptRun, reason: string): void;
}

interface Copy {
  /** The run as CBOR: what it takes is known so. */
  readonly raw: Uint8Array;
  readonly from: PeerId;
  readonly untilMs: number;
}

interface Sending {
  again: boolean;
  /** What was sent last. */
  sent?: KeptRun;
  /** Resolves once the other peer has the run as it was when it was last asked for, or cannot have it. */
  done: Promise<void>;
}

/** Both sides of standing by. */
export class Standby implements PlacedRuns {
  readonly #world: RuleWorld;
  readonly #owner: StandbyOwner;
  readonly #copies = new Map<FiringId, Copy>();
  readonly #over = new Set<string>();
  /** Runs that this peer took over, with the peer that is to hear of it when it comes back. */
  readonly #taken = new Map<FiringId, PeerId>();
  readonly #held = new Map<FiringId, { readonly run: KeptRun; readonly cancel: () => void }>();
  readonly #sending = new Map<FiringId, Sending>();
  readonly #waits = new Set<() => void>();

  constructor(world: RuleWorld, owner: StandbyOwner) {
    this.#world = world;
    this.#owner = owner;
  }

  /** Whether somebody else ran, by what places it, a firing that this peer has a copy of or heard the end of. */
  isKnown(key: string): boolean {
    if (this.#over.has(key)) return true;
    return [...this.#copies.keys()].some((firing) => placementKey(firing) === key);
  }

  async prepared(driver: RunDriver): Promise<void> {
    const copied = this.#copy(driver);
    this.#goOn(copied);
    await new Promise<void>((resolve) => {
      const cancel = this.#world.schedule(firstCopyMs, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      copied.then(done, done);
    });
  }

  changed(driver: RunDriver): void {
    this.#goOn(this.#copy(driver));
  }

  ended({ standby, start: { firing } }: KeptRun): void {
    this.#sending.delete(firing);
    this.#remember(firing);
    if (standby === undefined) return;
    this.#ask(standby, 'over', { firing }).catch((error: unknown) => {
      // It takes the run over in vain then: every step is done already.
      this.#world.logger.debug({ err: error, firing }, 'The peer that stands by does not hear of the end.');
    });
  }

  /** Holds a run back that somebody stood by for when this peer stopped: that one may have taken it over. */
  hold(run: KeptRun): boolean {
    const { standby, start, from } = run;
    if (from !== undefined) this.#tookOver(start.firing, from);
    if (standby === undefined || !run.state) return false;
    const release = (): void => {
      if (this.#held.delete(start.firing)) this.#owner.adopt(run);
    };
    this.#held.set(start.firing, { run, cancel: this.#world.schedule(holdMs, release) });
    this.#goOn(this.#offerHeld(run, standby));
    return true;
  }

  /** A session with a peer has begun or ended. */
  presenceChanged(peer: PeerId, isOnline: boolean): void {
    if (isOnline) {
      for (const { run } of this.#held.values())
        if (run.standby === peer) this.#goOn(this.#offerHeld(run, peer));
      for (const [firing, from] of this.#taken) if (from === peer) this.#goOn(this.#tellTaken(firing, from));
      this.#goOn(this.#lookAtCopies(peer));
      return;
    }
    if ([...this.#copies.values()].some(({ from }) => from === peer))
      this.#later(takeOverAfterMs, () => this.#takeOver(peer));
  }

  /** Runs whose peer that stands by is gone get another one. */
  reappoint(drivers: Iterable<RunDriver>): void {
    for (const driver of drivers) {
      const { isPlaced, standby, state } = driver.run;
      if (!isPlaced || !state || (standby !== undefined && this.#world.presence.live().has(standby)))
        continue;
      driver.standsBy(undefined);
      this.#goOn(this.#copy(driver));
    }
  }

  /**
   * The desk's `standby`: keep this run for me. Answers `takenBy` where it goes on here. With `still` instead, firings
   * whose runs of this peer the other stands by for: answers those for which it need not any more.
   */
  standby(from: PeerId, input: unknown): unknown {
    const still = (input as { still?: unknown } | null)?.still;
    if (Array.isArray(still))
      return { over: still.slice(0, maxCopiesOfOne).filter((firing) => !this.#isStoodByFor(firing, from)) };
    const run = parseKeptRun((input as { run?: unknown } | null)?.run);
    const book = run && this.#world.book.rule(run.start.rule);
    if (!run || !book || !isOfRule(run, book.rule, (key) => this.#world.book.scene(key)?.scene))
      return { kept: false };
    const { firing } = run.start;
    const isMine = this.#taken.get(firing) === from || this.#owner.driver(firing)?.run.from === from;
    // One that was away, and asks, need not do again what was done without it.
    const wasDone = (input as { isHeld?: unknown }).isHeld === true && this.#owner.isDone(firing);
    if (isMine || wasDone) return { takenBy: this.#world.self };
    // Both took themselves for the first; each goes on, and the devices do every step once.
    if (this.#owner.has(firing)) return { kept: false };
    if (!this.#keep(run, from)) return { kept: false };
    // The session may be gone before the copy has come.
    if (this.#world.presence.isOnline(from) === false)
      this.#later(takeOverAfterMs, () => this.#takeOver(from));
    return { kept: true };
  }

  /** The desk's `over`: a run has ended, or goes on at the peer that tells so. */
  over(from: PeerId, input: unknown): unknown {
    const { firing, takenBy } = (input ?? {}) as { firing?: unknown; takenBy?: unknown };
    if (typeof firing !== 'string' || firing.length > 600) return null;
    if (takenBy === from) this.#yield(firing, from);
    else if (this.#copies.get(firing)?.from === from) {
      this.#copies.delete(firing);
      this.#remember(firing);
    }
    return null;
  }

  close(): void {
    for (const cancel of this.#waits) cancel();
    for (const { cancel } of this.#held.values()) cancel();
    this.#held.clear();
    this.#copies.clear();
  }

  /** Keeps a copy where there is room for it. */
  #keep(run: KeptRun, from: PeerId): boolean {
    const raw = encode(run);
    const nowMs = this.#world.now();
    const all = { count: 1, ofOne: raw.length, bytes: raw.length };
    for (const [firing, copy] of this.#copies) {
      if (firing === run.start.firing) continue;
      if (copy.untilMs < nowMs) {
        this.#copies.delete(firing);
        continue;
      }
      all.bytes += copy.raw.length;
      if (copy.from !== from) continue;
      all.count += 1;
      all.ofOne += copy.raw.length;
    }
    if (all.count > maxCopiesOfOne || all.ofOne > maxBytesOfOne || all.bytes > maxBytes) return false;
    const untilMs = Math.max(nowMs, run.state ? latestMs(run.state.list) : 0) + keptAfterMs;
    this.#copies.set(run.start.firing, { raw, from, untilMs });
    return true;
  }

  /** Hands the run as it is now to the peer that stands by; what changes meanwhile follows in one. */
  #copy(driver: RunDriver): Promise<void> {
    const { firing } = driver.run.start;
    const before = this.#sending.get(firing);
    if (before) {
      before.again ||= before.sent !== driver.run;
      return before.done;
    }
    const sending: Sending = { again: false, done: Promise.resolve() };
    this.#sending.set(firing, sending);
    sending.done = this.#copyUntilSame(driver, sending);
    return sending.done;
  }

  async #copyUntilSame(driver: RunDriver, sending: Sending): Promise<void> {
    const { firing } = driver.run.start;
    do {
      sending.again = false;
      await this.#copyOnce(driver, sending);
    } while (sending.again && this.#owner.driver(firing) === driver);
    // A later start of the same firing has one of its own.
    if (this.#sending.get(firing) === sending) this.#sending.delete(firing);
  }

  async #copyOnce(driver: RunDriver, sending: Sending): Promise<void> {
    const { start, standby } = driver.run;
    const to = standby ?? nextInLine(this.#world, start.firing, start.steps);
    if (to === undefined) return;
    if (standby === undefined) driver.standsBy(to);
    sending.sent = driver.run;
    try {
      const answer = await this.#ask(to, 'standby', { run: driver.run });
      this.#heed(start.firing, to, answer);
    } catch (error) {
      // Where it is gone another one is appointed when its session ends.
      this.#world.logger.debug({ err: error, peer: to }, 'A run has nobody standing by at the moment.');
    }
  }

  #isStoodByFor(firing: FiringId, by: PeerId): boolean {
    return (this.#held.get(firing)?.run ?? this.#owner.driver(firing)?.run)?.standby === by;
  }

  /** A run may have ended, or got another peer standing by, when its peer could not say so. */
  async #lookAtCopies(from: PeerId): Promise<void> {
    const before = new Map([...this.#copies].filter(([, copy]) => copy.from === from));
    if (before.size === 0) return;
    try {
      const { over } = (await this.#ask(from, 'standby', { still: [...before.keys()] })) as {
        over?: unknown;
      };
      for (const firing of Array.isArray(over) ? over : []) {
        // One that has come meanwhile is newer than the answer.
        if (!before.has(firing) || this.#copies.get(firing) !== before.get(firing)) continue;
        this.#copies.delete(firing);
        this.#remember(firing);
      }
    } catch (error) {
      this.#world.logger.debug({ err: error, peer: from }, 'A peer cannot be asked for what it still runs.');
    }
  }

  async #offerHeld(run: KeptRun, standby: PeerId): Promise<void> {
    const { firing } = run.start;
    try {
      const answer = (await this.#ask(standby, 'standby', { run, isHeld: true })) as {
        takenBy?: unknown;
      } | null;
      const held = this.#held.get(firing);
      if (!held || held.run !== run) return;
      held.cancel();
      this.#held.delete(firing);
      if (answer?.takenBy === standby) this.#owner.yieldTo(run, this.#takenText(standby));
      else this.#owner.adopt(run);
    } catch (error) {
      this.#world.logger.debug({ err: error, peer: standby }, 'A run waits for the peer that stood by.');
    }
  }

  #heed(firing: FiringId, from: PeerId, answer: unknown): void {
    if ((answer as { takenBy?: unknown } | null)?.takenBy === from) this.#yield(firing, from);
  }

  /** Another peer goes on with a run of this one: only the one that stood by for it may say so. */
  #yield(firing: FiringId, to: PeerId): void {
    const held = this.#held.get(firing);
    if (held && held.run.standby === to) {
      held.cancel();
      this.#held.delete(firing);
      this.#owner.yieldTo(held.run, this.#takenText(to));
    }
    const driver = this.#owner.driver(firing);
    if (driver?.run.standby === to) driver.cancel(this.#takenText(to));
  }

  #takenText(by: PeerId): string {
    return `taken over by ${this.#world.things.nameOf(by)}`;
  }

  #takeOver(from: PeerId): void {
    if (this.#world.presence.isOnline(from) === true) return;
    for (const [firing, copy] of [...this.#copies]) {
      if (copy.from !== from) continue;
      this.#copies.delete(firing);
      const { standby: _standby, ...run } = decode(copy.raw) as unknown as KeptRun;
      const isEnabled = this.#world.book.rule(run.start.rule)?.rule.enabled === true;
      if (!isEnabled || this.#owner.has(firing)) continue;
      this.#tookOver(firing, from);
      const message = `taken over from ${this.#world.things.nameOf(from)}`;
      this.#world.tell({ kind: 'rule-fired', rule: run.start.rule, firing, peer: from, message });
      this.#world.logger.info({ firing, peer: from }, 'A run of a peer that is gone goes on here.');
      this.#owner.adopt({ ...run, from });
    }
  }

  #tookOver(firing: FiringId, from: PeerId): void {
    if (this.#taken.size >= maxRemembered) this.#taken.delete(this.#taken.keys().next().value!);
    this.#taken.set(firing, from);
  }

  async #tellTaken(firing: FiringId, from: PeerId): Promise<void> {
    try {
      await this.#ask(from, 'over', { firing, takenBy: this.#world.self });
      this.#taken.delete(firing);
    } catch (error) {
      this.#world.logger.debug(
        { err: error, peer: from },
        'A peer does not hear what was taken over from it.',
      );
    }
  }

  #goOn(work: Promise<void>): void {
    inBackground(work, this.#world, 'Standing by for a run went wrong.');
  }

  #ask(peer: PeerId, name: 'standby' | 'over', input: unknown): Promise<unknown> {
    return this.#world.ask(peer, { name, input, timeoutMs: copyTimeoutMs });
  }

  #later(delayMs: number, callback: () => void): void {
    const cancel = this.#world.schedule(delayMs, () => {
      this.#waits.delete(cancel);
      callback();
    });
    this.#waits.add(cancel);
  }

  #remember(firing: FiringId): void {
    const key = placementKey(firing);
    // A presence has the same key the next time; its firing is known for as long as others may wait for it.
    this.#over.delete(key);
    this.#over.add(key);
    if (this.#over.size > maxRemembered) this.#over.delete(this.#over.values().next().value!);
    this.#later(rememberedMs, () => this.#over.delete(key));
  }
}

/** Longer than any firing is pending. */
const rememberedMs = 15_000;
