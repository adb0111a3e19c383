/**
 * Whether the operating system keeps this machine's clock right by the network.
 * Relies on what systemd-timesyncd leaves behind on Linux; where there is no such sign the answer is no.
 */
import { existsSync } from 'node:fs';

/** Made by systemd-timesyncd when it has set the clock since the machine started; in memory, so that asking is cheap. */
const sign = '/run/systemd/timesync/synchronized';
const askAgainMs = 10_000;

/** A question that is asked of the system every 10 s at most. */
export const createSynchronised = (): (() => boolean) => {
  let answer = false;
  let askedAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now - askedAt >= askAgainMs) {
      askedAt = now;
      answer = existsSync(sign);
    }
    return answer;
  };
};
