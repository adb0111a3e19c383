/**
 * Ctrl-C and its like: the first asks to stop, a second one ends the process at once.
 * Relies on the process's signals.
 */

const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The same Ctrl-C may come twice, from the terminal and from the launcher or npm above us. */
const sameInterruptMs = 500;

/** Aborted at the first interrupt of this process; from then on, another one exits with 128 + its number. */
export const interruption = (): AbortSignal => {
  const stop = new AbortController();
  let firstAt = 0;
  for (const [signal, exitCode] of Object.entries(signals))
    process.on(signal, () => {
      if (!stop.signal.aborted) {
        firstAt = performance.now();
        stop.abort();
      } else if (performance.now() - firstAt > sameInterruptMs) process.exit(exitCode);
    });
  return stop.signal;
};

/** Resolves when the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
