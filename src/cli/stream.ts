/**
 * Shows a stream of values, a line each, until interrupted: what `observe` and `subscribe` share.
 * Relies on the client's streams, which go on over reconnects.
 */
import type { AlthingError } from '../core/errors.ts';
import type { StreamHandle, StreamSink } from '../thing/operations.ts';
import { aborted, interruption } from './interrupt.ts';
import type { Output } from './output.ts';
import { showValue } from './value.ts';

/** Opens a stream and shows its values. Throws what ended it; `values-missed` is told on stderr and goes on. */
export const showStream = async (
  open: (sink: StreamSink, signal: AbortSignal) => Promise<StreamHandle>,
  out: Output,
): Promise<void> => {
  const failed = new AbortController();
  let failure: AlthingError | undefined;
  const stop = AbortSignal.any([interruption(), out.closed, failed.signal]);
  const sink: StreamSink = {
    next: (value) => out.answer(value, () => showValue(value)),
    error: (error) => {
      if (error.code === 'values-missed') return out.failure(error);
      failure = error;
      failed.abort();
    },
  };
  try {
    const handle = await open(sink, stop);
    await aborted(stop);
    handle.stop();
  } catch (thrown) {
    // Interrupted while it was being opened: that is what was asked for.
    if (!stop.aborted) throw thrown;
  }
  if (failure) throw failure;
};
