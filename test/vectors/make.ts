/**
 * `node test/vectors/make.ts`: writes the test vectors beside this file, the same ones every time.
 * Relies on the sources; run it when the protocol changes on purpose, and read what changed.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { toJson } from './json-form.ts';
import { controlVectors, membershipVectors } from './membership-vectors.ts';
import { mergeVectors } from './merge-vectors.ts';
import { fraudVectors, keyVectors, recordVectors, ticketVectors } from './plain-vectors.ts';

/** The text of each file, by its name. */
export const vectorFiles = async (): Promise<ReadonlyMap<string, string>> => {
  const contents: Record<string, unknown> = {
    'keys.json': keyVectors(),
    'records.json': recordVectors(),
    'tickets.json': ticketVectors(),
    'control.json': controlVectors(),
    'membership.json': membershipVectors(),
    'frauds.json': fraudVectors(),
    'merges.json': await mergeVectors(),
  };
  return new Map(
    Object.entries(contents).map(([name, content]) => [
      name,
      `${JSON.stringify(toJson(content), null, 1)}\n`,
    ]),
  );
};

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [name, text] of await vectorFiles()) await writeFile(new URL(name, import.meta.url), text);
