/**
 * What every state store promises, as tests that run against any of them.
 * Relies on `node:test`; whoever implements `StateStore` calls it from a test file of its own.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { toHex, utf8 } from '../core/bytes.ts';
import type {
  RecordPosition,
  RecordStream,
  StateBatch,
  StateStore,
  StoredRecord,
} from '../replica/record-store.ts';
import { seedOf } from './seed.ts';

/** One home, opened again and again. */
export interface StoreHome {
  open(): Promise<StateStore>;
}

const authorOf = (number: number): Uint8Array => new Uint8Array(32).fill(number);

const record = (seq: number, raw: Uint8Array): StoredRecord => ({
  stream: 'data',
  author: authorOf(1),
  epoch: 1_700_000_000_000,
  seq,
  raw,
});

const contentsOf = async (store: StateStore) => {
  const { records, local } = await store.load();
  return {
    records: records.map(toHex).sort(),
    local: [...local].map(([key, value]) => `${key}=${toHex(value)}`).sort(),
  };
};

/** Registers the contract's tests. @param newHome an empty home of its own for each test, cleared away after it */
export const testStateStore = (name: string, newHome: (t: TestContext) => Promise<StoreHome>): void => {
  test(`${name}: a new home is empty`, async (t) => {
    const store = await (await newHome(t)).open();
    assert.deepEqual(await contentsOf(store), { records: [], local: [] });
    await store.close();
  });

  test(`${name}: any batches, over any restarts, leave what a map would hold`, async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(batchArbitrary, { maxLength: 4 }), { maxLength: 4 }),
        async (runs) => {
          const home = await newHome(t);
          const model = new Model();
          for (const batches of runs) {
            const store = await home.open();
            assert.deepEqual(await contentsOf(store), model.contents());
            for (const batch of batches) model.apply(batch);
            await Promise.all(batches.map((batch) => store.commit(batch)));
            await store.close();
          }
          const last = await home.open();
          assert.deepEqual(await contentsOf(last), model.contents());
          await last.close();
        },
      ),
      { numRuns: process.env.ALTHING_TEST_LONG ? 50 : 8, seed: seedOf(t) },
    );
  });

  test(`${name}: what is committed may be changed by its owner afterwards`, async (t) => {
    const home = await newHome(t);
    const store = await home.open();
    const raw = utf8('before');
    const value = utf8('kept');
    const committed = store.commit({ put: [record(1, raw)], local: [['note', value]] });
    raw.fill(0);
    value.fill(0);
    await committed;
    const wanted = { records: [toHex(utf8('before'))], local: [`note=${toHex(utf8('kept'))}`] };
    assert.deepEqual(await contentsOf(store), wanted);
    const loaded = await store.load();
    loaded.records[0]!.fill(9);
    assert.deepEqual(await contentsOf(store), wanted);
    await store.close();
  });

  test(`${name}: a home has one store at a time`, async (t) => {
    const home = await newHome(t);
    const store = await home.open();
    await assert.rejects(home.open(), { code: 'home-in-use' });
    await store.close();
    await (await home.open()).close();
  });

  test(`${name}: closing waits for what was committed, may be repeated, and ends commits`, async (t) => {
    const home = await newHome(t);
    const store = await home.open();
    const committed = store.commit({ put: [record(1, utf8('a'))] });
    await Promise.all([store.close(), store.close()]);
    await committed;
    await assert.rejects(store.commit({ put: [record(2, utf8('b'))] }), { code: 'internal' });
    const again = await home.open();
    assert.deepEqual((await contentsOf(again)).records, [toHex(utf8('a'))]);
    await again.close();
  });
};

const position: fc.Arbitrary<RecordPosition> = fc.record({
  stream: fc.constantFrom<RecordStream>('control', 'data'),
  author: fc.nat(2).map(authorOf),
  epoch: fc.constantFrom(1, Number.MAX_SAFE_INTEGER),
  seq: fc.nat(3),
});
const bytes = fc.uint8Array({ maxLength: 20 });
const note: fc.Arbitrary<readonly [string, Uint8Array | null]> = fc.tuple(
  fc.constantFrom('a', 'b', 'é'),
  fc.option(bytes, { nil: null }),
);
const batchArbitrary: fc.Arbitrary<StateBatch> = fc.record({
  clearRecords: fc.boolean(),
  remove: fc.array(position, { maxLength: 3 }),
  put: fc.array(
    fc.tuple(position, bytes).map(([where, raw]) => ({ ...where, raw })),
    { maxLength: 6 },
  ),
  local: fc.array(note, { maxLength: 3 }),
});

class Model {
  /** The different records at each position. */
  readonly #records = new Map<string, Set<string>>();
  readonly #local = new Map<string, string>();

  apply({ clearRecords, remove, put, local }: StateBatch): void {
    const name = (at: RecordPosition) => [at.stream, toHex(at.author), at.epoch, at.seq].join();
    if (clearRecords) this.#records.clear();
    for (const at of remove ?? []) this.#records.delete(name(at));
    for (const at of put ?? [])
      this.#records.set(name(at), (this.#records.get(name(at)) ?? new Set()).add(toHex(at.raw)));
    for (const [key, value] of local ?? []) {
      if (value) this.#local.set(key, toHex(value));
      else this.#local.delete(key);
    }
  }

  contents() {
    return {
      records: [...this.#records.values()].flatMap((raws) => [...raws]).sort(),
      local: [...this.#local].map(([key, value]) => `${key}=${value}`).sort(),
    };
  }
}
