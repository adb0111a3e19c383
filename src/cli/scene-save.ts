/**
 * `althing scene save`: keeps the values that Things have now under a name.
 * Relies on the running peer's gateway; an admin's device says it.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { namesOf } from './fabric-names.ts';

export const run: RunCommand = async ({ args: [name = '', ...things], home, options: { room }, out }) => {
  const client = clientOf(home);
  const scene = await client.rules.saveScene(name, {
    ...(room !== undefined && { room }),
    ...(things.length > 0 && { things }),
  });
  const nameOf = await namesOf(client);
  out.answer(scene, () =>
    [
      `The scene "${scene.name}" is kept:`,
      ...scene.values.map(
        ({ thing, property, value }) => `  ${nameOf(thing)}: ${property} = ${JSON.stringify(value)}`,
      ),
    ].join('\n'),
  );
};
