/**
 * Tasks one after the other, in the order in which they were given.
 * Relies on every task ending by itself; how many may wait is bounded.
 */
import { AlthingError } from '../core/errors.ts';

const maxWaiting = 1024;

/** A queue of tasks of which one runs at a time. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** Whether nothing runs or waits: what is done now is done in order. */
  get idle(): boolean {
    return this.#waiting === 0;
  }

  /** Runs a task after those before it, whether they failed or not. Rejects as it does, or with `too-many`. */
  async run<T>(task: () => T | Promise<T>): Promise<T> {
    if (this.#waiting >= maxWaiting)
      throw new AlthingError('too-many', `${maxWaiting} emissions wait for a read handler: it may hang.`);
    this.#waiting++;
    const turn = this.#last.then(task).finally(() => {
      this.#waiting--;
    });
    // The next task waits for this one's end only; its failure goes to whoever gave it.
    this.#last = turn.catch(() => {});
    return turn;
  }
}
