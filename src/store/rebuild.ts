/**
 * Makes a fresh state database for a home whose own is damaged: out of the small file and what can be rescued.
 * Relies on the other members for everything else; the damaged file is moved aside and never deleted.
 */
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AlthingError, toAlthingError } from '../core/errors.ts';
import type { StateBatch } from '../replica/record-store.ts';
import { syncDirectory } from './atomic-file.ts';
import { readDamaged } from './damaged-database.ts';
import type { Home } from './home.ts';
import type { NoteChange } from './local-notes.ts';
import { type MembershipFacts, readMembershipFile } from './membership-file.ts';
import { openStateStore } from './state-store.ts';
import { storeError } from './store-error.ts';

/** What a rebuild did. */
export interface Rebuilt {
  /** Where the former database is now; null where there was none. */
  readonly movedTo: string | null;
  /** What was wrong with it; null where nothing was. */
  readonly damage: string | null;
  /** How many notes (names of Things, tokens, addresses) were rescued. */
  readonly notes: number;
  /** How many of this peer's own records were rescued. */
  readonly records: number;
}

/** What the layers above know about the contents. */
export interface RebuildPlan {
  /** The notes that make an empty store this member's, given what was kept and what was rescued. Throws `store-corrupt`. */
  notes(facts: MembershipFacts | undefined, rescued: ReadonlyMap<string, Uint8Array>): readonly NoteChange[];
  /** The records to keep: this peer's own, verified. */
  records(
    facts: MembershipFacts | undefined,
    rescued: { readonly notes: ReadonlyMap<string, Uint8Array>; readonly records: readonly Uint8Array[] },
  ): NonNullable<StateBatch['put']>;
}

const companions = ['', '-wal', '-shm', '-journal'];

/**
 * Replaces the state database of a home on which no peer runs. A crash on the way leaves the old one or the new one.
 * Throws `home-in-use`, `store-newer`, `store-corrupt` where nothing says which fabric this was, `disk-full`,
 * `home-read-only`, `disk-failed`.
 */
export const rebuildStore = async (home: Home, plan: RebuildPlan, now: Date): Promise<Rebuilt> => {
  const wrong = await whatIsWrong(home.stateDb);
  const facts = await readMembershipFile(home.membership).catch((error: unknown) => {
    if (toAlthingError(error).code === 'store-corrupt') return undefined;
    throw error;
  });
  const exists = existsSync(home.stateDb);
  const readable = exists ? readDamaged(home.stateDb) : { records: [], notes: new Map(), damage: undefined };
  const notes = plan.notes(facts, readable.notes);
  const put = plan.records(facts, readable);
  const fresh = `${home.stateDb}.new`;
  const movedTo = `${home.stateDb}.damaged-${now.toISOString().replace(/[:.]/g, '-')}`;
  try {
    for (const ending of companions) await rm(fresh + ending, { force: true });
    const store = await openStateStore(fresh);
    await store.commit({ put, local: notes }).finally(() => store.close());
    for (const ending of companions)
      if (existsSync(home.stateDb + ending)) await rename(home.stateDb + ending, movedTo + ending);
    await rename(fresh, home.stateDb);
    await syncDirectory(dirname(home.stateDb));
  } catch (error) {
    throw storeError(error, home.stateDb);
  }
  return {
    movedTo: exists ? movedTo : null,
    damage: wrong ?? readable.damage ?? null,
    notes: readable.notes.size,
    records: put.length,
  };
};

/** Opens the database as a peer would. Undefined where that works; throws what no rebuild can help with. */
const whatIsWrong = async (path: string): Promise<string | undefined> => {
  if (!existsSync(path)) return undefined;
  try {
    const store = await openStateStore(path);
    await store.load().finally(() => store.close());
    return undefined;
  } catch (error) {
    if (error instanceof AlthingError && error.code === 'store-corrupt') return error.message;
    throw error;
  }
};
