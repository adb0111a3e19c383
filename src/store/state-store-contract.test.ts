import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testStateStore } from '../testing/state-store-contract.ts';
import { openStateStore } from './state-store.ts';

testStateStore('SQLite store', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-contract-'));
  t.after(() => rm(dir, { recursive: true }));
  return { open: () => openStateStore(join(dir, 'state.db')) };
});
