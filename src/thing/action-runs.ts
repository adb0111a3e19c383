/**
 * The invocations of a Thing's long-running actions (`synchronous: false`), while they run and for a while after.
 * Relies on a clock and a source of ids passed in; it forgets the oldest ended ones and refuses too many running ones.
 */
import { AlthingError, toAlthingError } from '../core/errors.ts';
import { isThenable } from './interaction-output.ts';
import type { ActionStatus } from './scripting-api.ts';

const maxRunning = 64;
const maxEnded = 64;

interface Run {
  readonly action: string;
  readonly controller: AbortController;
  status: ActionStatus;
}

/** The registry of one Thing's invocations. */
export class ActionRuns {
  readonly #newId: () => string;
  readonly #now: () => number;
  /** In the order of their ends, oldest first. */
  readonly #ended: string[] = [];
  readonly #runs = new Map<string, Run>();
  /** Handlers that have not returned, those of cancelled runs included. */
  #working = 0;

  /** @param options `newId`: unique, hard to guess; `now`: milliseconds since 1970 */
  constructor(options: { newId: () => string; now: () => number }) {
    this.#newId = options.newId;
    this.#now = options.now;
  }

  /**
   * Starts an invocation and gives its state, which goes on by itself. Throws `too-many` where 64 handlers are at work.
   * @param work the handler's call; its signal aborts when the invocation is cancelled
   */
  start(action: string, work: (signal: AbortSignal) => unknown): ActionStatus {
    if (this.#working >= maxRunning)
      throw new AlthingError(
        'too-many',
        `${maxRunning} invocations are running: wait for one to end, or cancel one.`,
      );
    const id = this.#newId();
    const run: Run = {
      action,
      controller: new AbortController(),
      status: { id, status: 'running', timeRequested: this.#time() },
    };
    this.#runs.set(id, run);
    this.#working++;
    try {
      const result = work(run.controller.signal);
      if (isThenable(result))
        result.then(
          (output) => this.#settle(run, { status: 'completed', output }),
          (thrown) => this.#settle(run, failure(thrown)),
        );
      else this.#settle(run, { status: 'completed', output: result });
    } catch (thrown) {
      this.#settle(run, failure(thrown));
    }
    return run.status;
  }

  /** The state of an invocation. Throws `action-unknown`. */
  query(action: string, id: unknown): ActionStatus {
    return this.#find(action, id).status;
  }

  /** Cancels an invocation and aborts its signal; one that has ended stays as it is. Throws `action-unknown`. */
  cancel(action: string, id: unknown): void {
    this.#cancel(this.#find(action, id), 'The action was cancelled.');
  }

  /** Cancels all that runs. */
  cancelAll(why: string): void {
    for (const run of [...this.#runs.values()]) this.#cancel(run, why);
  }

  #find(action: string, id: unknown): Run {
    const run = typeof id === 'string' ? this.#runs.get(id) : undefined;
    if (run?.action === action) return run;
    throw new AlthingError(
      'action-unknown',
      `There is no invocation ${JSON.stringify(id)?.slice(0, 80)} of "${action}".`,
    );
  }

  #cancel(run: Run, why: string): void {
    if (run.status.status !== 'running') return;
    this.#end(run, { status: 'cancelled' });
    run.controller.abort(new AlthingError('cancelled', why));
  }

  #settle(run: Run, end: Ending): void {
    this.#working--;
    if (run.status.status === 'running') this.#end(run, end);
  }

  #end(run: Run, end: Ending): void {
    run.status = { ...run.status, ...end, timeEnded: this.#time() };
    this.#ended.push(run.status.id);
    if (this.#ended.length > maxEnded) this.#runs.delete(this.#ended.shift()!);
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
  }
}

type Ending = Pick<ActionStatus, 'status' | 'output' | 'error'>;

const failure = (thrown: unknown): Ending => {
  const { code, message } = toAlthingError(thrown, 'handler-failed');
  return { status: 'failed', error: { code, message } };
};
