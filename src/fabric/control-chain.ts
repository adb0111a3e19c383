/**
 * One author's control records as the chain that `prev` makes of them: what leads to a record, what follows from it.
 * Relies on hashes alone, so that a cut in a chain means the same whatever its author says of times.
 */
import type { ControlRecord } from './control.ts';

/** Control records by the hash that names them. */
export type RecordsByHash = ReadonlyMap<string, ControlRecord>;

/** The hashes of a record and of all that led to it, as far as they are known; nothing for null. */
export const upTo = (head: string | null, records: RecordsByHash): Set<string> => {
  const found = new Set<string>();
  for (let at = head; at !== null && !found.has(at); ) {
    const record = records.get(at);
    if (!record) break;
    found.add(at);
    at = record.prev;
  }
  return found;
};

/** The hashes of these records of one author that follow on one of them, however far; on the beginning for null. */
export const after = (
  head: string | null,
  own: readonly ControlRecord[],
  records: RecordsByHash,
): Set<string> => {
  const follows = new Map<string, boolean>();
  for (const { hash } of own) {
    const path: string[] = [];
    let at: string | null = hash;
    let verdict: boolean | undefined;
    while (verdict === undefined) {
      const known = at === null ? undefined : follows.get(at);
      const record: ControlRecord | undefined = at === null ? undefined : records.get(at);
      if (known !== undefined) verdict = known;
      else if (!record) verdict = at === null && head === null;
      else {
        path.push(record.hash);
        if (record.prev === head) verdict = true;
        else at = record.prev;
      }
    }
    for (const one of path) follows.set(one, verdict);
  }
  return new Set([...follows].filter(([, verdict]) => verdict).map(([one]) => one));
};
