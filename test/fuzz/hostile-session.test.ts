/**
 * The promise to a peer among hostile ones: strangers get no further than the door, and a member that breaks every rule
 * harms nobody but itself.
 * Relies on real peers and TLS on loopback, and on fast-check, which prints its seed where something breaks.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { fromHex } from '../../src/core/bytes.ts';
import { encodeFrame, type Frame, frameType } from '../../src/net/frames.ts';
import type { Peer } from '../../src/peer/peer.ts';
import { isOnline, PeerLab } from '../../src/testing/peer-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const lab = new PeerLab();
let victim: Peer;
let friend: Peer;
let lamp = '';
const faults: unknown[] = [];
process.on('unhandledRejection', (reason) => faults.push(reason));
process.on('uncaughtException', (error) => faults.push(error));

before(async () => {
  victim = await lab.start('victim');
  friend = await lab.start('friend');
  await lab.join(victim, friend);
  const thing = await victim.wot.produce({
    title: 'Lamp',
    properties: { on: { type: 'boolean', observable: true }, picture: { type: 'string' } },
    actions: { hang: {} },
  });
  thing.setPropertyReadHandler('on', async () => true);
  thing.setPropertyReadHandler('picture', async () => 'x'.repeat(500_000));
  thing.setActionHandler('hang', () => new Promise(() => {}));
  await thing.expose();
  lamp = thing.getThingDescription().id;
  await waitFor(() => friend.things().length === 1, { what: 'the friend to know the lamp' });
});
after(() => lab.close());

/** The friend's commands work, and nothing escaped in the victim. */
const allIsWell = async (): Promise<void> => {
  assert.equal(await friend.request({ thing: lamp, op: 'readproperty', name: 'on' }), true);
  assert.ok(isOnline(victim, friend.id));
  assert.deepEqual(faults, []);
};

const refusal = async (frame: Frame, code: string): Promise<Frame> => {
  const stranger = await lab.intrude(victim);
  stranger.send(frame.length === 0 ? stranger.hello() : frame);
  const refused = await stranger.frame('the refusal', ([type]) => type === frameType.refusal);
  assert.equal(refused[1], code);
  await waitFor(() => !stranger.isOpen, { what: 'the end' });
  return refused;
};

test('a stranger is refused by name of what is wrong: membership, fabric, version, invite, protocol', async () => {
  const stranger = await lab.intrude(victim);
  const { hello, redeem, request, ping, vector } = frameType;
  const fabric = fromHex(victim.self().fabric);
  const bytes = (size: number) => new Uint8Array(size);
  await refusal(stranger.hello(), 'not-a-member');
  await refusal(stranger.hello({ fabric: bytes(32) }), 'wrong-fabric');
  const version = await refusal(stranger.hello({ versions: [7, 9] }), 'version-unsupported');
  assert.match(String(version[2]), /7 to 9.*1/);
  await refusal(stranger.hello({ versions: [1, 'x'] }), 'protocol-error');
  await refusal(stranger.hello({ proof: [bytes(100)] }), 'record-invalid');
  await refusal(stranger.hello({ proof: Array(65).fill(bytes(1)) }), 'protocol-error');
  await refusal([redeem, [1, 1], fabric, bytes(32), bytes(64)], 'invite-unknown');
  await refusal([redeem, [1, 1], bytes(32), bytes(32), bytes(64)], 'wrong-fabric');
  await refusal([redeem, [9, 9], fabric, bytes(32), bytes(64)], 'version-unsupported');
  await refusal([hello], 'protocol-error');
  await refusal([request, 1, 'readproperty', lamp, 'on', 1000, null, null], 'protocol-error');
  await refusal([vector, []], 'protocol-error');
  await refusal([ping, 1], 'protocol-error');
  await refusal([999], 'protocol-error');
  await allIsWell();
});

test('a hello of a later version is understood: ranges overlap, features and elements are new', async () => {
  const traitor = await lab.traitor(victim);
  assert.ok(traitor.isOpen);
  const stranger = await lab.intrude(victim);
  stranger.send([...stranger.hello({ versions: [1, 5], features: ['new'] }), 'later']);
  const refused = await stranger.frame('the refusal', ([type]) => type === frameType.refusal);
  assert.equal(refused[1], 'not-a-member');
});

test('an invite is worth nothing to another key than the one that its proof names', async () => {
  const { ticket } = await victim.invite({});
  const thief = await lab.intrude(victim);
  const owner = await lab.intrude(victim);
  // The thief sends the owner's proof as its own.
  const { openTicket } = await import('../../src/peer/join.ts');
  const { joinProofBytes } = await import('../../src/fabric/control.ts');
  const { nodeCrypto } = await import('../../src/store/node-crypto.ts');
  const { fabric, invite } = openTicket(ticket, nodeCrypto);
  const proof = invite.sign(joinProofBytes(fabric.id, invite.publicKey, owner.signer.publicKey));
  thief.send([frameType.redeem, [1, 1], fabric.id, invite.publicKey, proof]);
  const refused = await thief.frame('the refusal', ([type]) => type === frameType.refusal);
  assert.equal(refused[1], 'proof-invalid');
  assert.ok((await owner.redeem(ticket)).length > 0);
  await allIsWell();
});

test('noise after the TLS handshake ends that connection and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 4, maxLength: 300 }), async (noise) => {
      const stranger = await lab.intrude(victim);
      stranger.sendBytes(noise);
      stranger.sendBytes(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
      await waitFor(() => !stranger.isOpen, { what: 'the end' });
    }),
    { numRuns: 30 },
  );
  const stranger = await lab.intrude(victim);
  const before = process.memoryUsage().arrayBuffers;
  stranger.sendBytes(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3));
  await waitFor(() => !stranger.isOpen, { what: 'the end' });
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1024 * 1024);
  await allIsWell();
});

const key = fc.constantFrom(new Uint8Array(32), new Uint8Array(32).fill(7), new Uint8Array(5));
const count = fc.oneof(fc.nat(), fc.constantFrom(0, 1, -1, 1.5, Number.MAX_SAFE_INTEGER, 2 ** 40));
const scrap: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  key,
  count,
  fc.constantFrom('readproperty', 'invokeaction', 'observeproperty', 'on', 'hang', 'control', null, true),
  fc.uint8Array({ maxLength: 200 }),
);
/** Frames that are nearly right, of every type, and others that are not. */
const nearlyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc
    .tuple(fc.constantFrom(...Object.values(frameType)), fc.array(scrap, { maxLength: 9 }))
    .map(([type, rest]): Frame => [type, ...rest]),
  fc
    .tuple(
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom('readproperty', 'invokeaction', 'observeproperty', 'queryaction', 'nothing'),
      fc.constantFrom('on', 'hang', 'picture', '', '__proto__'),
      fc.oneof(count, scrap),
      scrap,
      fc.oneof(fc.constant(null), fc.record({ u: scrap, a: scrap })),
    )
    .map(
      ([id, op, name, timeout, cause, extra]): Frame => [
        frameType.request,
        id,
        op,
        lamp,
        name,
        timeout,
        cause,
        extra,
      ],
    ),
  fc
    .tuple(
      fc.constantFrom(0, 1, 2),
      key,
      count,
      count,
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 3 }),
    )
    .map(
      ([stream, author, from, to, raw]): Frame => [
        frameType.records,
        stream,
        author,
        [from, 0],
        [to, 1],
        raw,
      ],
    ),
  fc
    .array(fc.tuple(fc.constantFrom(0, 1), key, count, count, key), { maxLength: 5 })
    .map((entries): Frame => [frameType.vector, entries]),
  fc
    .tuple(fc.constantFrom(0, 1), key, count, count)
    .map(([stream, author, epoch, seq]): Frame => [frameType.want, stream, author, [epoch, seq]]),
);

test('a member that says whatever comes to its mind harms nobody but itself', async () => {
  const seed = new Uint8Array(32).fill(99);
  let traitor = await lab.traitor(victim, { seed });
  await fc.assert(
    fc.asyncProperty(fc.array(nearlyFrame, { minLength: 1, maxLength: 20 }), async (frames) => {
      if (!traitor.isOpen) {
        traitor = await lab.intrude(victim, { seed });
        await traitor.enter([]);
      }
      for (const frame of frames) {
        let bytes: Uint8Array;
        try {
          bytes = encodeFrame(frame);
        } catch {
          continue; // Not even the codec takes it.
        }
        traitor.sendBytes(bytes);
      }
      traitor.sendBytes(encodeFrame([frameType.ping, 'done']));
      await waitFor(
        () =>
          !traitor.isOpen ||
          traitor.frames.some(([type, said]) => type === frameType.pong && said === 'done'),
        { what: 'an answer or the end' },
      );
      traitor.frames.length = 0;
      await allIsWell();
    }),
    { numRuns: process.env.ALTHING_TEST_LONG === '1' ? 5000 : 150 },
  );
});

test('a flood of requests is pushed back on its own session, and others’ commands go on', async () => {
  const traitor = await lab.traitor(victim);
  const flood = (op: string, name: string, from: number, ids: number): void => {
    for (let id = from; id < from + ids; id++)
      traitor.send([frameType.request, id, op, lamp, name, 600_000, null, null]);
  };
  flood('invokeaction', 'hang', 1, 300);
  flood('readproperty', 'on', 1001, 20_000);
  for (let n = 0; n < 20; n++) await allIsWell();
  // What the flood asked for and does not read is not kept for it.
  const reader = await lab.traitor(victim);
  reader.channel.pause('test');
  const before = process.memoryUsage().rss;
  for (let id = 1; id <= 2000; id++)
    reader.send([frameType.request, id, 'readproperty', lamp, 'picture', 600_000, null, null]);
  for (let n = 0; n < 20; n++) await allIsWell();
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grown < 150, `${Math.round(grown)} MiB more for 2000 pictures of which none was read`);
  traitor.close();
  reader.close();
});

test('a member that opens sessions without end keeps only a few of them', async () => {
  const seed = new Uint8Array(32).fill(77);
  const first = await lab.traitor(victim, { seed });
  const sessions = [first];
  for (let n = 0; n < 60; n++) {
    const again = await lab.intrude(victim, { seed });
    await again.enter([]);
    // Something that never ends, so that it has a reason to stay.
    again.send([frameType.request, 1, 'invokeaction', lamp, 'hang', 600_000, null, null]);
    sessions.push(again);
  }
  // All of them stay alive as far as they can.
  const open = () => sessions.filter(({ isOpen }) => isOpen);
  const talking = setInterval(() => {
    for (const session of open()) session.send([frameType.ping, 1]);
  }, 300);
  await waitFor(() => open().length <= 10, { what: () => `few sessions: ${open().length} are open` });
  await allIsWell();
  clearInterval(talking);
  for (const session of sessions) session.close();
});
