/**
 * Drives one run: takes its events one after the other, keeps its state, carries its effects out, sets its timer.
 * Relies on `rules/run.ts` for what happens; a state is durable before what follows from it is done, the first aside.
 */
import { toAlthingError } from '../../core/errors.ts';
import { advanceRun, type RunStep, startRun } from '../../rules/run.ts';
import type { RunEffect, RunEnd, RunEvent } from '../../rules/run-state.ts';
import { inBackground } from './in-background.ts';
import type { KeptRun } from './kept-run.ts';
import type { RuleWorld } from './rule-world.ts';
import { askedBy, carryOut, type RunAnswer, resultOf } from './run-effects.ts';
import { awaitEvent, watchExpression } from './wait-watch.ts';

/** Whom a driver tells. */
export interface DriverOwner {
  /** Keeps the run as it is now; what rejects is told, and the run goes on in memory. */
  save(run: KeptRun): Promise<void>;
  /**
   * Before the first command, and after a choice: resolves when another peer has the run as it is, or does not within a
   * moment; undefined: none is to have it.
   */
  prepared(run: KeptRun): Promise<void> | undefined;
  /** The state has changed and is kept. */
  changed(run: KeptRun): void;
  /** It is over. */
  ended(run: KeptRun, end: RunEnd): void;
}

/** The first commands of a run have so long for their answers before it is kept without them. */
const keepAfterMs = 5;

/** One run on its way. */
export class RunDriver {
  readonly #world: RuleWorld;
  readonly #owner: DriverOwner;
  #run: KeptRun;
  readonly #events: RunAnswer[] = [];
  readonly #watches = new Map<string, () => void>();
  #cancelTimer: (() => void) | undefined;
  #busy = false;
  /** Whether it was kept, or is being kept for the first time: before that it has done nothing. */
  #isKept = false;
  /** Called when it is kept for the first time, or over. */
  #begun: (() => void) | undefined;
  #hasWaited = false;
  #isOver = false;
  /** Whether it has commanded something and is not being kept yet. */
  #isUnkept = false;
  /** Called when something has come for it, while its first keeping waits. */
  #answered: (() => void) | undefined;

  constructor(world: RuleWorld, owner: DriverOwner, run: KeptRun) {
    this.#world = world;
    this.#owner = owner;
    this.#run = run;
  }

  /** As it stands now. */
  get run(): KeptRun {
    return this.#run;
  }

  /**
   * Begins a run that has not begun; resolves when it is kept, or over. What it looks at and its first commands do not
   * wait for the disk: a run of which nothing was durable when the power went is gone, as if the trigger had come a
   * moment later, and devices do each step once anyway. One that `hasWaited` for its turn is on disk as not begun: what
   * it commands waits, or after a restart it would begin anew and not know what it has commanded.
   */
  async begin(hasWaited = false): Promise<void> {
    this.#hasWaited = hasWaited;
    const kept = new Promise<void>((resolve) => {
      this.#begun = resolve;
    });
    this.#busy = true;
    try {
      const step = startRun(this.#run.start, this.#world.now());
      this.#take(step);
      await this.#follow(step.effects);
    } catch (error) {
      this.#fail(error);
    }
    this.#busy = false;
    this.#workOn();
    await kept;
  }

  /** Goes on with a run that was kept; what was due longer than `graceMs` ago makes it `lost`. */
  resume(graceMs: number): void {
    this.#isKept = true;
    this.#send({ type: 'resume', graceMs });
  }

  cancel(reason: string): void {
    this.#send({ type: 'cancel', reason });
  }

  /** Another peer stands by from now on, or none. */
  standsBy(peer: KeptRun['standby']): void {
    const { standby: _standby, ...run } = this.#run;
    this.#run = peer === undefined ? run : { ...run, standby: peer };
    // After a restart it has to be asked whether it went on.
    if (this.#isKept && !this.#isOver) void this.#keep();
  }

  /** Stops without an end: it goes on after the next start. */
  async close(): Promise<void> {
    const isUnkept = this.#isUnkept && !this.#isOver;
    this.#isOver = true;
    this.#release();
    if (isUnkept) await this.#save();
    this.#begun?.();
  }

  #send(event: RunAnswer): void {
    if (this.#isOver) return;
    this.#events.push(event);
    this.#answered?.();
    this.#workOn();
  }

  #workOn(): void {
    inBackground(
      this.#work().catch((error: unknown) => this.#fail(error)),
      this.#world,
      'A run could not be ended.',
    );
  }

  /** What no machine should do, it did: the run ends, and says so. */
  #fail(error: unknown): void {
    const { firing } = this.#run.start;
    this.#world.logger.error({ err: error, firing }, 'A run went wrong.');
    if (this.#isOver) return;
    const { state } = this.#run;
    const path = `${state?.list.at ?? 0}`;
    const end: RunEnd = {
      outcome: 'failed',
      failure: { path, code: 'internal', message: 'The run went wrong.' },
    };
    this.#end({ ...this.#run, ...(state && { state: { ...state, end } }) }, end);
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#events.length > 0 && !this.#isOver) {
      const effects: RunEffect[] = [];
      const before = this.#run.state;
      const events = this.#events.splice(0);
      const isChoice = events.some(({ type }) => type === 'selected');
      // What came together is made durable together.
      for (const event of events) {
        const step = advanceRun(this.#run.state!, { ...event, nowMs: this.#world.now() } as RunEvent);
        this.#take(step);
        effects.push(...step.effects);
      }
      if (this.#run.state !== before) await this.#follow(effects, { isChoice });
    }
    this.#busy = false;
  }

  /** Does what follows from the state that was just taken; `isChoice`: in which Things were chosen. */
  async #follow(effects: readonly RunEffect[], { isChoice = false } = {}): Promise<void> {
    if (this.#isOver) return;
    if (this.#isKept) {
      await this.#save();
      // Who takes the run over would choose by what is near to it, and command another Thing as well.
      if (isChoice) await this.#owner.prepared(this.#run);
    } else if (effects.some(({ type }) => type !== 'evaluate' && type !== 'select')) {
      await this.#beginKept(effects);
      return;
    }
    this.#perform(effects);
  }

  /** The first commands and the first keeping, which do not wait for each other. */
  async #beginKept(effects: readonly RunEffect[]): Promise<void> {
    if (this.#hasWaited) {
      this.#isKept = true;
      await this.#save();
      await this.#owner.prepared(this.#run);
      this.#perform(effects);
      return;
    }
    // Whoever is to stand by is named at once, and so kept with the run.
    const prepared = this.#owner.prepared(this.#run);
    this.#isKept = true;
    if (prepared) {
      const saved = this.#save();
      await prepared;
      this.#perform(effects);
      await saved;
      return;
    }
    this.#perform(effects);
    this.#isUnkept = true;
    // Keeping is work for this device and its disk, and the other one is to have the processor first where they share it.
    await new Promise<void>((resolve) => {
      const cancel = this.#world.schedule(keepAfterMs, resolve);
      this.#answered = () => {
        cancel();
        resolve();
      };
    });
    this.#answered = undefined;
    // What an answer brings is kept with the rest; most runs are over then.
    if (this.#events.length === 0) await this.#save();
  }

  /** Takes a state over. The timer is that of the last state, whatever earlier ones waited for. */
  #take({ state, effects }: RunStep): void {
    if (this.#isOver) return;
    this.#run = { ...this.#run, state };
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const timer = effects.find((effect) => effect.type === 'timer');
    if (timer)
      this.#cancelTimer = this.#world.schedule(Math.max(0, timer.atMs - this.#world.now()), () =>
        this.#send({ type: 'time' }),
      );
    if (!state.end) return;
    this.#end(this.#run, state.end);
  }

  #end(run: KeptRun, end: RunEnd): void {
    this.#run = run;
    this.#isOver = true;
    this.#release();
    this.#owner.ended(run, end);
    this.#begun?.();
  }

  async #save(): Promise<void> {
    this.#isUnkept = false;
    await this.#keep();
    this.#owner.changed(this.#run);
    this.#begun?.();
  }

  async #keep(): Promise<void> {
    try {
      await this.#owner.save(this.#run);
    } catch (error) {
      // The store's health says so where the disk fails. A home whose disk is full is not to stand still.
      const { code } = toAlthingError(error);
      this.#world.logger.warn({ code, firing: this.#run.start.firing }, 'A run could not be kept.');
    }
  }

  #perform(effects: readonly RunEffect[]): void {
    if (this.#isOver) return;
    for (const effect of effects) {
      if (effect.type === 'timer' || effect.type === 'finished') continue;
      if (effect.type === 'watch') this.#watch(effect);
      else
        carryOut(this.#world, this.#run, effect).then(
          (answer) => this.#send(answer),
          (error: unknown) => this.#fail(error),
        );
    }
  }

  #watch({ path, untilMs, wait }: Extract<RunEffect, { type: 'watch' }>): void {
    this.#watches.get(path)?.();
    const asked = askedBy(this.#world, this.#run);
    const stop =
      'until' in wait
        ? watchExpression(this.#world, wait.until, asked, ({ evaluation }) => {
            // Everything but the one that it waits for changes nothing.
            if (evaluation.kind !== 'value' || evaluation.value !== true) return;
            this.#unwatch(path);
            this.#send({ type: 'evaluated', path, result: resultOf(this.#world, evaluation) });
          })
        : awaitEvent(this.#world, wait.event, asked, () => {
            this.#unwatch(path);
            this.#send({ type: 'occurred', path });
          });
    const cancel = this.#world.schedule(Math.max(0, untilMs - this.#world.now()), () => this.#unwatch(path));
    this.#watches.set(path, () => {
      cancel();
      stop();
    });
  }

  #unwatch(path: string): void {
    this.#watches.get(path)?.();
    this.#watches.delete(path);
  }

  #release(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (const stop of this.#watches.values()) stop();
    this.#watches.clear();
    this.#events.length = 0;
  }
}
