/**
 * `althing read`: the value of a property, or the one that it was last known to have.
 * Relies on the running peer's gateway.
 */
import type { GatewayClient } from '../client/client.ts';
import { AlthingError, toAlthingError } from '../core/errors.ts';
import { ageText } from './age-text.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { plainValue, showValue } from './value.ts';

export const run: RunCommand = async ({ args: [thing = '', property = ''], home, options, out }) => {
  const client = clientOf(home);
  const { id } = await client.resolve(thing);
  if (options.last) {
    const last = await lastValue(client, id, property);
    const online = (await client.things({ query: id })).find((one) => one.id === id)?.online ?? null;
    return out.answer({ ...last, online }, () => `${showValue(last.value)} (${ageText(last.ageMs)})`);
  }
  try {
    const value = plainValue(await client.readProperty(id, property));
    out.answer(value, () => showValue(value));
  } catch (thrown) {
    throw out.json ? thrown : await withLastValue(toAlthingError(thrown), client, id, property);
  }
};

/** Throws `value-unknown`. */
const lastValue = async (client: GatewayClient, id: string, property: string) => {
  const { properties, omitted } = await client.lastKnown(id);
  const last = Object.hasOwn(properties, property) ? properties[property] : undefined;
  if (last) return last;
  const why = omitted.includes(property)
    ? `The value of "${property}" does not fit into the fabric's records: only its device has it.`
    : `No value of "${property}" is known here.`;
  throw new AlthingError('value-unknown', why);
};

/** The failure of a device that is out of reach, with what was last known of it for the person who asked. */
const withLastValue = async (error: AlthingError, client: GatewayClient, id: string, property: string) => {
  if (error.code !== 'peer-offline' && error.code !== 'timeout') return error;
  try {
    const { value, ageMs } = await lastValue(client, id, property);
    const message = `${error.message} Last known: ${showValue(value)} (${ageText(ageMs)}).`;
    return new AlthingError(error.code, message, { cause: error });
  } catch {
    // Nothing is known, or the peer has stopped meanwhile: what went wrong first is what is told.
    return error;
  }
};
