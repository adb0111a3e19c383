/**
 * `althing subscribe`: an event's data as it happens.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command-table.ts';
import { withClient } from './connect.ts';
import { showStream } from './stream.ts';

export const run: RunCommand = ({ args, home, out }) =>
  withClient(home, async (client) => {
    const [thing, event] = args;
    const { id } = await client.describe(thing!);
    await showStream((sink, signal) => client.subscribeEvent(id, event!, sink, { signal }), out);
  });
