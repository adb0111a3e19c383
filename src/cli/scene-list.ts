/**
 * `althing scene list`: the scenes and what is in them.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { table } from './table.ts';

export const run: RunCommand = async ({ home, out }) => {
  const scenes = await clientOf(home).rules.scenes();
  out.answer(scenes, () =>
    scenes.length === 0
      ? 'No scenes. Make one: althing scene save NAME --room ROOM'
      : table(
          ['SCENE', 'NAME', 'THINGS', 'VALUES'],
          scenes.map(({ scene, name, values }) => [
            scene,
            name,
            String(new Set(values.map(({ thing }) => thing)).size),
            String(values.length),
          ]),
        ),
  );
};
