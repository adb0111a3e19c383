/**
 * The promises of frames: whatever may be sent arrives unchanged in whatever pieces, and nothing else gets in.
 * Relies on fast-check, which prints its seed where a law is broken.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AlthingError } from '../core/errors.ts';
import { memoryChannelPair } from '../testing/memory-channel.ts';
import { asker, device } from '../testing/session-lab.ts';
import { waitFor } from '../testing/wait-for.ts';
import { FrameChannel } from './frame-channel.ts';
import { encodeFrame, type Frame, FrameReader, maxFrameBytes, maxHandshakeFrameBytes } from './frames.ts';

const all = (reader: FrameReader): Frame[] => {
  const frames: Frame[] = [];
  for (let frame = reader.next(); frame; frame = reader.next()) frames.push(frame);
  return frames;
};

const code = (expected: string) => (error: unknown) =>
  error instanceof AlthingError && error.code === expected;

/** As JSON sees it: minus zero is zero, members that are undefined are none. */
const asSent = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('frames arrive unchanged, in whatever pieces they come', () => {
  const jsonFrame = fc.tuple(fc.nat(100), fc.jsonValue({ maxDepth: 5 })).filter(([, value]) => {
    try {
      encodeFrame([0, value]);
      return true;
    } catch {
      return false;
    }
  });
  fc.assert(
    fc.property(
      fc.array(jsonFrame, { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (frames, sizes) => {
        const wire = Buffer.concat(frames.map((frame) => encodeFrame(frame)));
        const reader = new FrameReader();
        const seen: Frame[] = [];
        for (let at = 0, turn = 0; at < wire.length; turn++) {
          const size = sizes[turn % sizes.length]!;
          reader.add(new Uint8Array(wire.subarray(at, at + size)));
          at += size;
          seen.push(...all(reader));
        }
        assert.deepEqual(asSent(seen), asSent(frames));
      },
    ),
    { numRuns: 200 },
  );
});

test('what can be sent can be read: everything else is refused before it leaves', () => {
  fc.assert(
    fc.property(
      fc.anything({
        withBigInt: true,
        withMap: true,
        withNullPrototype: true,
        withTypedArray: true,
        maxDepth: 4,
      }),
      (value) => {
        let bytes: Uint8Array;
        try {
          bytes = encodeFrame([1, value]);
        } catch (error) {
          assert.ok(error instanceof AlthingError, String(error));
          return;
        }
        const reader = new FrameReader();
        reader.add(bytes);
        assert.equal(all(reader).length, 1);
      },
    ),
    { numRuns: 1000 },
  );
  let deep: unknown = 1;
  for (let n = 0; n < 200; n++) deep = [deep];
  for (const value of [deep, Number.NaN, [undefined], 1n, new Map(), '\ud800', { '\ud800': 1, '\ud801': 2 }])
    assert.throws(() => encodeFrame([1, value]), code('value-invalid'));
});

test('noise never gets past the reader as anything but an error or a frame', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      const reader = new FrameReader();
      reader.add(Uint8Array.of(0, 0, 0, noise.length, ...noise));
      try {
        for (const frame of all(reader)) assert.ok(Array.isArray(frame) && Number.isSafeInteger(frame[0]));
      } catch (error) {
        assert.ok(error instanceof AlthingError && error.code === 'protocol-error', String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test('a frame that is too large is refused by its announcement, and costs nothing', () => {
  const reader = new FrameReader();
  reader.add(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
  assert.throws(() => reader.next(), code('value-too-large'));
  const trusted = new FrameReader();
  trusted.maxBytes = maxFrameBytes;
  trusted.add(Uint8Array.of(0, 0x10, 0, 1));
  assert.throws(() => trusted.next(), code('value-too-large'));
  assert.throws(() => encodeFrame([1, 'x'.repeat(maxFrameBytes)]), code('value-too-large'));
});

test('a frame in single bytes is put together in time that does not explode', () => {
  const frame: Frame = [1, 'x'.repeat(300_000)];
  const reader = new FrameReader();
  reader.maxBytes = maxFrameBytes;
  for (const byte of encodeFrame(frame)) {
    assert.equal(reader.next(), undefined);
    reader.add(Uint8Array.of(byte));
  }
  assert.deepEqual(reader.next(), frame);
});

test('a frame for members that comes with the last one of the handshake is read as a member’s', async () => {
  const [mine, theirs] = memoryChannelPair(asker, device);
  const frames = new FrameChannel(theirs);
  const large: Frame = [2, 'x'.repeat(maxHandshakeFrameBytes + 1)];
  mine.send(Buffer.concat([encodeFrame([1]), encodeFrame(large), encodeFrame([3])]));
  const first = await new Promise<Frame>((resolve) => {
    frames.handle((frame) => {
      frames.handle(undefined);
      resolve(frame);
    });
  });
  assert.deepEqual(first, [1]);
  frames.trust();
  const rest: Frame[] = [];
  frames.handle((frame) => rest.push(frame));
  await waitFor(() => rest.length === 2, { what: 'the frames that came with it' });
  assert.deepEqual(rest, [large, [3]]);
  frames.close();
});

test('frames are held back as long as there is a reason, and nothing comes after the end', async () => {
  const [mine, theirs] = memoryChannelPair(asker, device);
  const frames = new FrameChannel(theirs);
  const seen: unknown[] = [];
  frames.handle(([number]) => {
    seen.push(number);
    if (number === 2) {
      frames.pause('one');
      frames.pause('two');
    }
    if (number === 4) frames.close();
  });
  mine.send(Buffer.concat([1, 2, 3, 4, 5].map((number) => encodeFrame([number]))));
  await waitFor(() => theirs.paused, { what: 'the pause' });
  frames.resume('one');
  await new Promise(setImmediate);
  assert.deepEqual(seen, [1, 2]);
  frames.resume('two');
  await waitFor(() => theirs.closed, { what: 'the end' });
  assert.deepEqual(seen, [1, 2, 3, 4]);
  assert.equal(frames.send([9]), false);
});
