/**
 * The reconciler of a running fabric, with the machine's clock, timers and randomness.
 * Relies on `replica/` for all that it does.
 */
import type { Crypto } from '../core/crypto.ts';
import type { Logger } from '../core/logger.ts';
import { Reconciler } from '../replica/reconciler.ts';
import type { Replica } from '../replica/replica.ts';

/** Keeps a replica equal to those of the links that it is given. */
export const openReconciler = (replica: Replica, parts: { crypto: Crypto; logger: Logger }): Reconciler =>
  new Reconciler(replica, {
    now: () => performance.now(),
    wallNow: Date.now,
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    random: Math.random,
    ...parts,
  });
