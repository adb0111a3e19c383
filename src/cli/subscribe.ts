/**
 * `althing subscribe`: an event's data as it happens.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { showStream } from './stream.ts';

export const run: RunCommand = async ({ args, home, out }) => {
  const client = clientOf(home);
  const [thing, event] = args;
  const { id } = await client.resolve(thing!);
  await showStream((options) => client.subscribeEvent(id, event!, options), out);
};
