/**
 * What the door tells those whom it does not let in.
 * Relies on channels in memory and on a gatekeeper that fails as the test says.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { type PeerId, peerIdOf } from '../core/ids.ts';
import { memoryChannelPair } from '../testing/memory-channel.ts';
import { asker, device } from '../testing/session-lab.ts';
import { DoorLimit } from './door-limit.ts';
import { FrameChannel } from './frame-channel.ts';

import { answerDoor, type Gatekeeper, greet, redeem } from './handshake.ts';

const openGate: Gatekeeper = {
  fabric: new Uint8Array(32),
  proof: () => [],
  isPlain: () => false,
  check: () => {},
  farewell: () => [],
  dismissed: () => {},
  admit: () => Promise.resolve([]),
};

const refusalFor = async (failure: unknown): Promise<AlthingError> => {
  const [mine, theirs] = memoryChannelPair(asker, device);
  const gate: Gatekeeper = { ...openGate, admit: () => Promise.reject(failure) };
  const answered = assert.rejects(answerDoor(new FrameChannel(theirs), gate));
  const claim = { fabric: gate.fabric, invite: new Uint8Array(32), proof: new Uint8Array(64), records: [] };
  const refusal = await redeem(new FrameChannel(mine), claim).then(
    () => assert.fail('it was let in'),
    (error: AlthingError) => error,
  );
  await answered;
  return refusal;
};

test('a stranger learns why it is refused, and nothing of what fails inside this peer', async () => {
  const expired = await refusalFor(new AlthingError('invite-expired', 'The invite expired yesterday.'));
  assert.deepEqual([expired.code, expired.message], ['invite-expired', 'The invite expired yesterday.']);
  const inside = [
    new AlthingError('disk-full', 'The disk is full: /home/ann/.local/state.db could not be written.'),
    new AlthingError('disk-failed', 'The disk failed to read or write /home/ann/.local/state.db.'),
    new TypeError('Cannot read properties of /home/ann'),
  ];
  for (const failure of inside) assert.doesNotMatch((await refusalFor(failure)).message, /ann/);
  assert.equal((await refusalFor(inside[0])).code, 'disk-full', 'which is no secret: another member may do');
});

test('a flood of strangers from one address makes a peer think 64 times; members and those from elsewhere get in', async () => {
  let looked = 0;
  let admitted = 0;
  const member = peerIdOf(new Uint8Array(32).fill(7));
  const gate: Gatekeeper = {
    ...openGate,
    isPlain: (peer) => peer === member,
    check: (peer) => {
      if (peer === member) return;
      looked += 1;
      throw new AlthingError('not-a-member', 'no member');
    },
    admit: () => {
      admitted += 1;
      return Promise.resolve([]);
    },
  };
  const limit = new DoorLimit(() => 0);
  const call = async (from: PeerId, host: string, say: 'hello' | 'ticket'): Promise<string> => {
    const [mine, theirs] = memoryChannelPair(from, device, { diallerAddress: `${host}:50000` });
    // The door's own failure is what it tells the caller, whose outcome is looked at below.
    const answered = answerDoor(new FrameChannel(theirs), gate, { limit }).catch(() => {});
    const claim = { fabric: gate.fabric, invite: new Uint8Array(32), proof: new Uint8Array(64), records: [] };
    const frames = new FrameChannel(mine);
    const outcome = await (say === 'hello' ? greet(frames, openGate) : redeem(frames, claim)).then(
      () => 'in',
      (error: AlthingError) => error.code,
    );
    frames.close();
    await answered;
    return outcome;
  };
  const outcomes = new Map<string, number>();
  for (let n = 0; n < 200; n++) {
    const outcome = await call(asker, '192.0.2.1', 'hello');
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(outcomes), { 'not-a-member': 64, 'rate-limited': 136 });
  assert.equal(looked, 64);
  assert.equal(await call(asker, '192.0.2.1', 'ticket'), 'rate-limited');
  assert.equal(await call(member, '192.0.2.1', 'hello'), 'in');
  assert.equal(await call(asker, '192.0.2.2', 'ticket'), 'in');
  assert.deepEqual([looked, admitted], [64, 1]);
});
