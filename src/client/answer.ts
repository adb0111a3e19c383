/**
 * Reads a gateway's whole answer, within a bound.
 * Relies on the transport's chunks.
 */
import { concat } from '../core/bytes.ts';
import { AlthingError } from '../core/errors.ts';
import type { TransportResponse } from './transport.ts';

/** Large enough for the TDs of a thousand Things. */
const largestAnswerBytes = 64 * 1024 * 1024;

/** The whole body. Throws `value-too-large` past 64 MiB. */
export const readBytes = async (response: TransportResponse): Promise<Uint8Array> => {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body) {
    sizeBytes += chunk.length;
    if (sizeBytes > largestAnswerBytes)
      throw new AlthingError('value-too-large', 'The gateway sent more than 64 MiB: ask for less at once.');
    chunks.push(chunk);
  }
  return concat(...chunks);
};

/** Bytes as JSON. Throws `protocol-error`. */
export const parseJson = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new AlthingError('protocol-error', 'The gateway sent something that is not JSON.', {
      cause: error,
    });
  }
};
