/**
 * What rules do that nobody waits for. A promise that rejects and that nobody holds ends the whole process, so each has
 * this owner. Relies on the logger: what fails here is a mistake in this program, since failures with a meaning are
 * dealt with where they happen.
 */
import type { Logger } from '../../core/logger.ts';

/** Lets something go on by itself; where it rejects, `what` and the error are logged. */
export const inBackground = (
  work: Promise<unknown>,
  { logger }: { readonly logger: Pick<Logger, 'error'> },
  what: string,
): void => {
  work.catch((error: unknown) => logger.error({ err: error }, what));
};
