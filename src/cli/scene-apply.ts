/**
 * `althing scene apply`: gives Things the values of a scene, and says which took them.
 * Relies on the running peer's gateway.
 */
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';
import { namesOf } from './fabric-names.ts';

export const run: RunCommand = async ({ args: [scene = ''], home, out }) => {
  const client = clientOf(home);
  const applied = await client.rules.applyScene(scene);
  const nameOf = await namesOf(client);
  const bad = applied.results.filter(({ outcome }) => outcome !== 'ok');
  out.answer(applied, () =>
    [
      `${applied.results.length - bad.length} of ${applied.results.length} values are as the scene "${applied.scene}" says.`,
      ...bad.map(({ thing, property, outcome }) => `  ${nameOf(thing)}: ${property} is not (${outcome})`),
    ].join('\n'),
  );
};
