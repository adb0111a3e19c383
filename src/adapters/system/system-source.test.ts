import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cachedSource, hasChanged } from './system-source.ts';

test('a reading is kept for its time, and a failed one is not kept', async () => {
  let now = 1000;
  let reads = 0;
  const source = cachedSource(
    {
      properties: [],
      read: async () => {
        if (++reads === 3) throw new Error('unplugged');
        return { n: reads };
      },
    },
    500,
    () => now,
  );
  assert.deepEqual([await source.read(), await source.read()], [{ n: 1 }, { n: 1 }]);
  now += 500;
  assert.deepEqual(await source.read(), { n: 2 });
  now += 500;
  await assert.rejects(source.read(), /unplugged/);
  assert.deepEqual(await source.read(), { n: 4 });
});

test('writing forgets what was read before', async () => {
  let value = 1;
  const write = async (next: unknown) => {
    value = next as number;
  };
  const source = cachedSource(
    { properties: [{ name: 'led', affordance: {}, write }], read: async () => ({ led: value }) },
    500,
    () => 0,
  );
  assert.deepEqual(await source.read(), { led: 1 });
  await source.properties[0]?.write?.(0);
  assert.deepEqual(await source.read(), { led: 0 });
});

test('numbers change beyond their dead band, everything else by any difference', () => {
  assert.equal(hasChanged(1, 1.4, 0.5), false);
  assert.equal(hasChanged(1, 1.5, 0.5), true);
  assert.equal(hasChanged(1, 1), false);
  assert.equal(hasChanged(undefined, 1, 0.5), true);
  assert.equal(hasChanged({ eth0: { rxBytes: 1 } }, { eth0: { rxBytes: 2 } }), true);
  assert.equal(hasChanged('Full', 'Full'), false);
});
