/**
 * `althing rename`: what a Thing or a peer is called in the whole fabric, and in which room it is.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ args: [target = '', name], home, options: { room }, out }) => {
  const client = clientOf(home);
  const label = await client.governance.rename(target, {
    ...(name !== undefined && { name }),
    ...(room !== undefined && { room }),
  });
  out.answer(label, () => {
    const called = label.name === null ? 'has no name of its own' : `is called "${label.name}"`;
    return `${target} ${called}${label.room === null ? '' : `, in the room "${label.room}"`}.`;
  });
};
