/**
 * Shows a stream of values, a line each, until interrupted: what `observe` and `subscribe` share.
 * Relies on the client's streams; it is the peer that goes on over reconnects to the device.
 */
import type { RequestOptions } from '../client/client.ts';
import type { StreamOptions, ValueStream } from '../client/value-stream.ts';
import { interruption } from './interrupt.ts';
import type { Output } from './output.ts';
import { showValue } from './value.ts';

/** Opens a stream and shows its values. Throws what ended it; `values-missed` is told on stderr and goes on. */
export const showStream = async (
  open: (options: RequestOptions & StreamOptions) => Promise<ValueStream<unknown>>,
  out: Output,
): Promise<void> => {
  const stop = AbortSignal.any([interruption(), out.closed]);
  try {
    const values = await open({ signal: stop, onMissed: (error) => out.failure(error) });
    for await (const value of values) out.answer(value, () => showValue(value));
  } catch (thrown) {
    // Being interrupted is how this command ends.
    if (!stop.aborted) throw thrown;
  }
};
