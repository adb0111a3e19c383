/**
 * Waiting in tests: for a condition, with a deadline and a message that says what never came.
 * Relies on timers; never on a guess of how long something takes.
 */

/** How long to wait, and for what in words. */
export interface WaitOptions {
  /** Milliseconds until it fails (default 10 000). */
  readonly timeoutMs?: number;
  /** Completes "Waited 10000 ms for ...". A function is asked at the deadline and can show the state then. */
  readonly what: string | (() => string);
  readonly signal?: AbortSignal;
}

const pauseMs = 10;

/**
 * Resolves with the condition's first value that is neither undefined, null nor false. Asks every 10 ms.
 * Rejects with a plain Error at the deadline, or with what the condition throws.
 */
export const waitFor = async <T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, undefined | null | false>> => {
  const { timeoutMs = 10_000, what, signal } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const value = await condition();
    if (value !== undefined && value !== null && value !== false)
      return value as Exclude<T, undefined | null | false>;
    if (performance.now() >= deadline)
      throw new Error(`Waited ${timeoutMs} ms for ${typeof what === 'function' ? what() : what}.`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
};
