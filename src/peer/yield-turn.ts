/**
 * What this program passes to all that works in pieces.
 * Relies on Node's event loop, which looks at sockets and timers before the next immediate.
 */

/** Lets everything else that waits go first. */
export const yieldTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
