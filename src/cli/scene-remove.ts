/**
 * `althing scene remove`: takes a scene out of the fabric; what it set stays as it is.
 * Relies on the running peer's gateway; an admin's device says it.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ args: [scene = ''], home, out }) => {
  await clientOf(home).rules.removeScene(scene);
  out.answer(null, () => `The scene "${scene}" is removed.`);
};
