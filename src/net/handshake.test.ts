/**
 * What the door tells those whom it does not let in.
 * Relies on channels in memory and on a gatekeeper that fails as the test says.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { memoryChannelPair } from '../testing/memory-channel.ts';
import { asker, device } from '../testing/session-lab.ts';
import { FrameChannel } from './frame-channel.ts';
import { answerDoor, type Gatekeeper, redeem } from './handshake.ts';

const refusalFor = async (failure: unknown): Promise<AlthingError> => {
  const [mine, theirs] = memoryChannelPair(asker, device);
  const gate: Gatekeeper = {
    fabric: new Uint8Array(32),
    proof: () => [],
    check: () => {},
    farewell: () => [],
    dismissed: () => {},
    admit: () => Promise.reject(failure),
  };
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
