/**
 * Calls of a Thing's own code: bounded by the asker's signal, with failures that say whose they are.
 * Relies on the asker aborting the signal at its deadline; a handler that never returns is left behind.
 */
import { AlthingError } from '../core/errors.ts';
import { isThenable, resolveInput } from './interaction-output.ts';

/**
 * What a handler gives: at once where it gives it at once, else as a promise that also rejects when the signal aborts.
 * Throws `handler-failed`, the code of an AlthingError that the handler threw, `timeout` or `cancelled`.
 * @param what names handler and Thing, to begin a sentence with
 */
export const callHandler = (what: string, signal: AbortSignal, call: () => unknown): unknown => {
  let result: unknown;
  try {
    result = resolveInput(call());
  } catch (thrown) {
    throw handlerError(what, thrown);
  }
  return isThenable(result) ? untilAborted(what, signal, result) : result;
};

const untilAborted = (what: string, signal: AbortSignal, work: PromiseLike<unknown>): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const onAbort = () => reject(abortError(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    work.then(
      (value) => {
        signal.removeEventListener('abort', onAbort);
        resolve(value);
      },
      (thrown) => {
        signal.removeEventListener('abort', onAbort);
        reject(handlerError(what, thrown));
      },
    );
  });

/** Why a signal was aborted: its AlthingError, `timeout` where a timer did it (AbortSignal.timeout), else `cancelled`. */
export const abortError = (signal: AbortSignal): AlthingError => {
  const reason: unknown = signal.reason;
  if (reason instanceof AlthingError) return reason;
  if (reason instanceof Error && reason.name === 'TimeoutError')
    return new AlthingError('timeout', 'The device did not answer in time.', { cause: reason });
  return new AlthingError('cancelled', 'The request was given up before it was answered.', { cause: reason });
};

/** A handler's failure: an AlthingError as it is, everything else as `handler-failed` with its message. */
export const handlerError = (what: string, thrown: unknown): AlthingError => {
  if (thrown instanceof AlthingError) return thrown;
  const message = (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, 500);
  return new AlthingError('handler-failed', `${what} failed: ${message}`, { cause: thrown });
};
