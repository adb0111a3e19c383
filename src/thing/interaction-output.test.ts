import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InteractionOutput, isJsonContent, resolveInput } from './interaction-output.ts';

const text = (bytes: ArrayBuffer) => new TextDecoder().decode(bytes);

test('a value is given as value, as bytes and as a stream', async () => {
  const output = new InteractionOutput({ a: 1 }, { type: 'object' }, { href: 'x' });
  assert.equal(output.dataUsed, false);
  assert.deepEqual(await output.value(), { a: 1 });
  assert.equal(output.dataUsed, true);
  assert.equal(text(await output.arrayBuffer()), '{"a":1}');
  assert.deepEqual(await Array.fromAsync(output.data), [new TextEncoder().encode('{"a":1}')]);
  assert.deepEqual(output.schema, { type: 'object' });
});

test('bytes are given as they are', async () => {
  const output = new InteractionOutput(Uint8Array.of(1, 2).subarray(1));
  assert.deepEqual(new Uint8Array(await output.arrayBuffer()), Uint8Array.of(2));
  assert.deepEqual(await output.value(), Uint8Array.of(2));
});

test('no data is undefined and no bytes', async () => {
  const output = new InteractionOutput(undefined);
  assert.equal(await output.value(), undefined);
  assert.equal((await output.arrayBuffer()).byteLength, 0);
  assert.deepEqual(await Array.fromAsync(output.data), []);
});

test('functions, promises and outputs become the values that they give', async () => {
  assert.equal(resolveInput(3), 3);
  assert.equal(
    resolveInput(() => 3),
    3,
  );
  assert.equal(await resolveInput(async () => 3), 3);
  assert.equal(await resolveInput(Promise.resolve(() => 3)), 3);
  assert.equal(await resolveInput(new InteractionOutput(3)), 3);
  assert.equal(resolveInput(null), null);
});

test('streams, and functions that never give a value, are refused', () => {
  assert.throws(() => resolveInput(new ReadableStream()), { code: 'value-invalid' });
  const endless = (): unknown => endless;
  assert.throws(() => resolveInput(endless), { code: 'value-invalid' });
});

test('JSON is told from other content', () => {
  for (const type of [
    undefined,
    'application/json',
    'Application/JSON; charset=utf-8',
    'application/senml+json',
  ])
    assert(isJsonContent(type));
  for (const type of ['image/png', 'text/plain', 'application/cbor']) assert(!isJsonContent(type));
});
