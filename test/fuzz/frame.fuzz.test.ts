import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/core/bytes.ts';
import { AlthingError } from '../../src/core/errors.ts';
import { encodeFrame, type Frame, FrameReader } from '../../src/net/frames.ts';
import { type Chance, fuzz, mutated } from './fuzz.ts';

const examples: readonly Frame[] = [
  [0, 1, 1, [], new Uint8Array(32)],
  [10, 7, 'readproperty', 'urn:althing:x:y', 'on', null, {}],
  [11, 7, { value: [1, 2.5, 'three', null, true, { deep: [[]] }] }],
  [20, [[0, new Uint8Array(32), 1, 1, new Uint8Array(32)]]],
  [22, 1, new Uint8Array(32), [0, 0], [1, 1], [new Uint8Array(300)]],
  [30, 5],
];

/** All frames of a stream that comes in pieces of any size. */
const framesOf = (stream: Uint8Array, { pick }: Chance): Frame[] => {
  const reader = new FrameReader();
  const frames: Frame[] = [];
  for (let at = 0; at < stream.length; ) {
    const size = 1 + pick([1, 5, 100, 5000][pick(4)]!);
    reader.add(stream.slice(at, at + size));
    at += size;
    for (let frame = reader.next(); frame; frame = reader.next()) frames.push(frame);
  }
  return frames;
};

const anyFrames = ({ pick }: Chance): Frame[] =>
  Array.from({ length: 1 + pick(6) }, () => examples[pick(examples.length)]!);

test('frames come out as they went in, in whatever pieces', async (t) => {
  await fuzz(t, (chance, note) => {
    const frames = anyFrames(chance);
    const stream = concat(...frames.map(encodeFrame));
    note(stream);
    assert.deepEqual(framesOf(stream, chance), frames);
  });
});

test('any stream gives frames, or ends with a protocol error or a frame that is too large', async (t) => {
  let ended = 0;
  await fuzz(t, (chance, note) => {
    const stream =
      chance.pick(5) === 0
        ? chance.bytes(200)
        : mutated(concat(...anyFrames(chance).map(encodeFrame)), chance);
    note(stream);
    try {
      for (const [type] of framesOf(stream, chance)) assert.ok(Number.isSafeInteger(type) && type >= 0);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      assert.ok(error instanceof AlthingError, String((error as Error)?.stack));
      assert.ok(['protocol-error', 'value-too-large'].includes(error.code), error.code);
      ended += 1;
    }
  });
  assert.ok(ended > 0, 'nothing that was tried was refused: the fuzzer is blind');
});
