/**
 * Bounds what the answers that wait for slow readers take of this peer's memory, all of its sessions together.
 * Relies on each session to say what waits for its other side.
 */

/** One session's side of it. */
export interface AnswerHolder {
  /** What was answered and the other side has not taken, bytes. */
  readonly waitingBytes: number;
  /** Ends the session, and frees all that waits. */
  cutOff(): void;
}

const defaultMaxBytes = 64 * 1024 * 1024;

/** What waits in the sessions of one peer. */
export class AnswerBudget {
  readonly #maxBytes: number;
  readonly #holders = new Set<AnswerHolder>();

  constructor(options: { maxBytes?: number } = {}) {
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
  }

  add(holder: AnswerHolder): void {
    this.#holders.add(holder);
  }

  remove(holder: AnswerHolder): void {
    this.#holders.delete(holder);
  }

  /** Call when more waits: where it is too much in all, whoever takes least of what it asks for is cut off. */
  check(): void {
    const waiting = [...this.#holders].map((holder) => ({ holder, sizeBytes: holder.waitingBytes }));
    let sumBytes = waiting.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    waiting.sort((a, b) => b.sizeBytes - a.sizeBytes);
    for (const { holder, sizeBytes } of waiting) {
      if (sumBytes <= this.#maxBytes) return;
      sumBytes -= sizeBytes;
      this.#holders.delete(holder);
      holder.cutOff();
    }
  }
}
