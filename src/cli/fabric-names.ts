/**
 * What the Things and peers of the fabric are called, for texts that have their ids.
 * Relies on the running peer's gateway, asked once.
 */
import type { GatewayClient } from '../client/client.ts';
import { parseThingId } from '../core/ids.ts';
import type { NameOf } from './execution-text.ts';

/** The names of all that is known now; of another Thing the one in its id, of another peer its id. */
export const namesOf = async (client: GatewayClient): Promise<NameOf> => {
  const [things, peers] = await Promise.all([client.things(), client.peers()]);
  const names = new Map<string, string>();
  for (const { peer, name } of peers) names.set(peer, name);
  for (const { id, title, name } of things) names.set(id, name ?? title);
  return (id) => names.get(id) ?? parseThingId(id)?.name ?? id;
};
