/**
 * What the pass desk says to those who come with a guest pass that is not theirs, not whole, or not good.
 * Relies on real devices and on intruders who say what they like after TLS; no pass here was made by the program itself.
 */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { fromHex } from '../../core/bytes.ts';
import type { Signer } from '../../core/crypto.ts';
import { peerIdOf, publicKeyOf, thingIdOf } from '../../core/ids.ts';
import type { Authority } from '../../fabric/authority.ts';
import { type PassTerms, presentationBytes, signPass } from '../../fabric/pass.ts';
import { decodeTicket, maxTicketProof, type Ticket } from '../../fabric/ticket.ts';
import { type Frame, frameType } from '../../net/frames.ts';
import { protocolVersions } from '../../net/handshake.ts';
import type { LocalNotes } from '../../store/local-notes.ts';
import { nodeCrypto } from '../../store/node-crypto.ts';
import { type Intruder, PeerLab } from '../../testing/peer-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';
import type { Peer } from '../peer.ts';
import { GuestDesk } from './pass-desk.ts';

const hourMs = 3_600_000;

const expose = async (peer: Peer): Promise<string> => {
  const thing = await peer.wot.produce({
    title: 'Lamp',
    properties: { on: { type: 'boolean', observable: true }, level: { type: 'integer' } },
  } as never);
  thing.setPropertyReadHandler('on', async () => true);
  thing.setPropertyReadHandler('level', async () => 7);
  await thing.expose();
  return thing.getThingDescription().id;
};

/** A pass in somebody's hands. */
interface Held {
  readonly pass: Uint8Array;
  readonly key: Signer;
  readonly records?: readonly Uint8Array[];
}

/** A pass for all of one Thing, signed by anybody, or with parts replaced. */
const forge = (peer: Peer, issuer: Signer, parts: Partial<PassTerms> = {}, fabric?: Uint8Array): Held => {
  const key = nodeCrypto.signer(nodeCrypto.randomBytes(32));
  const terms: PassTerms = {
    key: key.publicKey,
    things: [thingIdOf(peer.id, 'lamp')],
    operations: ['read', 'write', 'invoke', 'subscribe'],
    affordances: null,
    expires: Date.now() + hourMs,
    uses: 1,
    title: 'Lamp',
    ...parts,
  };
  return { key, pass: signPass(terms, issuer, fabric ?? fromHex(peer.self().fabric)) };
};

const heldIn = ({ permit, seed, proof }: Ticket): Held => ({
  pass: permit,
  key: nodeCrypto.signer(seed),
  records: proof,
});

/** What somebody says who presents a pass; `presenter` is whom the pass's key vouches for. */
const presentFrame = (
  peer: Peer,
  { pass, key, records = [] }: Held,
  presenter: Uint8Array,
  fabric = fromHex(peer.self().fabric),
): Frame => {
  const proof = key.sign(presentationBytes(fabric, key.publicKey, presenter));
  return [frameType.present, protocolVersions, fabric, pass, records, proof];
};

/** What the device answers: `welcome`, or the code of its refusal; then the channel is over. */
const answerTo = async (intruder: Intruder, frame: Frame): Promise<unknown> => {
  intruder.send(frame);
  const [type, code] = await intruder.frame(
    'an answer',
    ([kind]) => kind === frameType.welcome || kind === frameType.refusal,
  );
  if (type === frameType.welcome) return 'welcome';
  await waitFor(() => !intruder.isOpen, { what: 'the channel to be closed' });
  return code;
};

/** A newcomer presents a pass as its holder would. */
const present = async (lab: PeerLab, peer: Peer, held: Held): Promise<[Intruder, unknown]> => {
  const intruder = await lab.intrude(peer);
  return [intruder, await answerTo(intruder, presentFrame(peer, held, intruder.signer.publicKey))];
};

let lastId = 0;
/** Asks over a session, and gives the answer's type and what it says. */
const ask = async (
  intruder: Intruder,
  op: string,
  thing: string,
  name: string | null,
  input?: unknown,
): Promise<[unknown, unknown]> => {
  const id = ++lastId;
  const frame: Frame = [frameType.request, id, op, thing, name, 5000, null, null];
  intruder.send(input === undefined ? frame : [...frame, input]);
  const [type, , said] = await intruder.frame(
    `an answer to ${op}`,
    ([kind, of]) => (kind === frameType.response || kind === frameType.error) && of === id,
  );
  return [type, said];
};

test('a pass that no admin of this fabric signed, or that was changed after, opens nothing', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const device = await lab.start('device');
  const other = await lab.start('other');
  const lamp = await expose(device);
  const good = heldIn(decodeTicket((await device.passes.share({ things: [lamp] })).ticket, nodeCrypto));
  const member = await lab.traitor(device);
  const otherLamp = await expose(other);
  const foreign = heldIn(
    decodeTicket((await other.passes.share({ things: [otherLamp] })).ticket, nodeCrypto),
  );
  const stranger = nodeCrypto.signer(nodeCrypto.randomBytes(32));
  const flipped = good.pass.slice();
  flipped[flipped.length - 1]! ^= 1;
  // The body says the admin, the signature is somebody else's.
  const borrowed = forge(device, stranger);
  borrowed.pass.set(good.pass.subarray(0, 64));
  const cases: [string, Held][] = [
    ['by a stranger', forge(device, stranger)],
    ['by a member', forge(device, member.signer)],
    ['of another fabric', foreign],
    ['of another fabric, for this device', forge(device, stranger, {}, fromHex(other.self().fabric))],
    ['changed', { ...good, pass: flipped }],
    ["with the admin's signature of another pass", borrowed],
    ['cut short', { ...good, pass: good.pass.subarray(0, -1) }],
    ['with more behind it', { ...good, pass: new Uint8Array([...good.pass, 0]) }],
    ['empty', { ...good, pass: new Uint8Array(65) }],
  ];
  for (const [what, held] of cases) {
    const [, answer] = await present(lab, device, held);
    assert.equal(answer, 'ticket-invalid', what);
  }
  const intruder = await lab.intrude(device);
  const ofOther = fromHex(other.self().fabric);
  const elsewhere = presentFrame(device, foreign, intruder.signer.publicKey, ofOther);
  assert.equal(await answerTo(intruder, elsewhere), 'wrong-fabric', 'and says so');
  const rubbish = { ...forge(device, stranger), records: [new Uint8Array(70)] };
  assert.equal((await present(lab, device, rubbish))[1], 'record-invalid');
  const large = { ...good, pass: new Uint8Array(5000) };
  assert.equal((await present(lab, device, large))[1], 'protocol-error', 'larger than any pass');
  const many = { ...good, records: Array.from({ length: maxTicketProof + 1 }, () => new Uint8Array(70)) };
  assert.equal((await present(lab, device, many))[1], 'protocol-error', 'more records than a ticket carries');
  assert.equal((await present(lab, device, good))[1], 'welcome', 'and the real one was not used up by them');
});

test('what was overheard of a presentation is of no use to another key, nor to a member', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const device = await lab.start('device');
  const lamp = await expose(device);
  const { ticket } = await device.passes.share({ things: [lamp], uses: 2 });
  const good = heldIn(decodeTicket(ticket, nodeCrypto));
  const thief = await lab.intrude(device);
  const victim = await lab.intrude(device);
  const overheard = presentFrame(device, good, victim.signer.publicKey);
  assert.equal(await answerTo(thief, overheard), 'proof-invalid', 'before the holder came');
  assert.equal(await answerTo(victim, overheard), 'welcome');
  const again = await lab.intrude(device);
  assert.equal(await answerTo(again, overheard), 'proof-invalid', 'and after');
  const bare = await lab.intrude(device);
  const [type, versions, fabric, pass, records] = overheard;
  assert.equal(
    await answerTo(bare, [type, versions, fabric, pass, records, new Uint8Array(64)]),
    'proof-invalid',
    'without the seed',
  );
  const member = await lab.traitor(device);
  await member.connect(device);
  assert.equal(await answerTo(member, presentFrame(device, good, member.signer.publicKey)), 'forbidden');
  assert.equal((await present(lab, device, good))[1], 'welcome', 'none of them has taken the second place');
  assert.equal((await present(lab, device, good))[1], 'pass-used-up');
  await victim.connect(device);
  assert.equal(
    await answerTo(victim, overheard),
    'welcome',
    'the first holder comes back as often as it likes',
  );
});

test('as many strangers as a pass has uses get in when all come in one moment', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const device = await lab.start('device');
  const lamp = await expose(device);
  const { ticket } = await device.passes.share({ things: [lamp], uses: 2 });
  const good = heldIn(decodeTicket(ticket, nodeCrypto));
  const crowd = await Promise.all(Array.from({ length: 6 }, () => lab.intrude(device)));
  const answers = await Promise.all(
    crowd.map((one) => answerTo(one, presentFrame(device, good, one.signer.publicKey))),
  );
  assert.deepEqual(answers.sort(), [...Array(4).fill('pass-used-up'), 'welcome', 'welcome']);
});

test('the holder of a pass gets what it covers and nothing else, whatever it asks and however it is called', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const device = await lab.start('device');
  const lamp = await expose(device);
  const { ticket } = await device.passes.share({ things: [lamp], operations: ['read'], affordances: ['on'] });
  const [guest, answer] = await present(lab, device, heldIn(decodeTicket(ticket, nodeCrypto)));
  assert.equal(answer, 'welcome');
  assert.deepEqual(await ask(guest, 'readproperty', lamp, 'on'), [frameType.response, true]);
  assert.deepEqual(await ask(guest, 'readmultipleproperties', lamp, null, ['on']), [
    frameType.response,
    { on: true },
  ]);
  const system = thingIdOf(device.id, 'system');
  const refused: [string, string, string | null, unknown?][] = [
    ['readproperty', lamp, 'level'],
    ['readproperty', lamp, 'On'],
    ['readproperty', lamp, 'on\0'],
    ['readproperty', lamp, '__proto__'],
    ['readproperty', lamp, null],
    ['readallproperties', lamp, null],
    ['readallproperties', lamp, 'on'],
    ['readmultipleproperties', lamp, 'on', ['on', 'level']],
    ['readmultipleproperties', lamp, 'on', { 0: 'level', length: 1 }],
    ['readmultipleproperties', lamp, 'on'],
    ['writeproperty', lamp, 'on', false],
    ['writemultipleproperties', lamp, 'on', {}],
    ['invokeaction', lamp, 'on'],
    ['queryaction', lamp, 'on'],
    ['cancelaction', lamp, 'on'],
    ['observeproperty', lamp, 'level'],
    ['observeproperty', lamp, null],
    ['subscribeevent', lamp, 'on'],
    ['readproperty', system, 'on'],
    ['readproperty', lamp.toUpperCase(), 'on'],
    ['readproperty', `${lamp} `, 'on'],
  ];
  for (const call of refused)
    assert.deepEqual(
      await ask(guest, ...call).then(([type, code]) => [type, code]),
      [frameType.error, 'forbidden'],
      String(call),
    );
  const directory = `urn:althing:${device.id}:.directory`;
  assert.deepEqual(await ask(guest, 'readproperty', directory, 'membership'), [frameType.response, []]);
  const [, page] = await ask(guest, 'readproperty', directory, 'things');
  const { things } = page as { things: string[] };
  assert.deepEqual(
    things.map((text) => Object.keys(JSON.parse(text).properties)),
    [['on']],
  );

  // It asks for records as a member would, and sends some: nothing comes, and nothing is taken.
  guest.send([frameType.want, 0, publicKeyOf(device.id), [0, 0]]);
  guest.send([frameType.summary, Array.from({ length: 64 }, () => null)]);
  assert.deepEqual(await ask(guest, 'readproperty', lamp, 'on'), [frameType.response, true]);
  const isRecords = ([type]: Frame): boolean => type >= 20 && type <= 29;
  assert.deepEqual(guest.frames.filter(isRecords), []);
});

test('a device whose clock is unknown takes no pass, and one that has ended is known to it all the same', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const device = await lab.start('device');
  const lamp = await expose(device);
  const share = async (forMs = hourMs): Promise<{ id: string; held: Held }> => {
    const { id, ticket } = await device.passes.share({ things: [lamp], forMs });
    return { id, held: heldIn(decodeTicket(ticket, nodeCrypto)) };
  };
  const good = (await share()).held;
  const { id, held: ended } = await share();
  await device.governance.revoke(id);
  const old = (await share(1)).held;
  assert.equal((await present(lab, device, old))[1], 'pass-expired');

  // The battery of its clock is dead, and nobody is there to tell the time.
  const clock = mock.method(Date, 'now', () => 5000);
  t.after(() => clock.mock.restore());
  const lost = await lab.modify(device, () => []);
  await expose(lost);
  assert.equal((await present(lab, lost, good))[1], 'clock-unknown');
  assert.equal((await present(lab, lost, old))[1], 'clock-unknown', 'in 1970 nothing has expired');
  assert.equal((await present(lab, lost, ended))[1], 'pass-ended');
});

test('a pass of one who became an admin while the device was away is good there, by the records that come with it', async (t) => {
  const lab = new PeerLab();
  t.after(() => lab.close());
  const founder = await lab.start('founder');
  const second = await lab.start('second');
  const first = await lab.start('device');
  await lab.join(founder, second);
  await lab.join(founder, first);
  const lamp = await expose(first);
  await waitFor(() => second.things().some(({ id }) => id === lamp), { what: 'the lamp to be known' });
  let ticket = '';
  const device = await lab.restart(first, async () => {
    await founder.governance.setRole(second.id, 'admin');
    await waitFor(() => second.self().role === 'admin', { what: 'the new admin to know it' });
    ({ ticket } = await second.passes.share({ things: [lamp] }));
    await Promise.all([founder.stop(), second.stop()]);
  });
  await expose(device);
  const [guest, answer] = await present(lab, device, heldIn(decodeTicket(ticket, nodeCrypto)));
  assert.equal(answer, 'welcome');
  assert.deepEqual(await ask(guest, 'readproperty', lamp, 'on'), [frameType.response, true]);
  assert.ok(guest.isOpen);
});

test('passes of a thief with an admin’s key do not fill the desk for good: with him they go', async () => {
  const notes = new Map<string, unknown>();
  const fakeNotes = {
    get: (key: string) => notes.get(key),
    list: () => new Map(notes),
    set: async (key: string, value: unknown) => notes.set(key, value),
    commit: async (changes: readonly [string, null][]) => {
      for (const [key] of changes) notes.delete(key);
    },
  };
  const thief = nodeCrypto.signer(new Uint8Array(32).fill(5));
  const admin = nodeCrypto.signer(new Uint8Array(32).fill(6));
  const admins = new Set([thief, admin].map(({ publicKey }) => peerIdOf(publicKey)));
  const fabric = new Uint8Array(32).fill(7);
  const desk = new GuestDesk({
    fabric,
    crypto: nodeCrypto,
    notes: fakeNotes as unknown as LocalNotes,
    authorityWith: () => ({ admins, endedPasses: new Set() }) as unknown as Authority,
    isMember: () => false,
    time: () => ({ ms: 0, known: true }),
  });
  const stranger = nodeCrypto.signer(new Uint8Array(32).fill(8));
  const come = (issuer: Signer) => {
    const key = nodeCrypto.signer(nodeCrypto.randomBytes(32));
    const terms = {
      things: ['lamp'],
      operations: ['read'],
      affordances: null,
      expires: 1e15,
      uses: 1,
    } as const;
    const pass = signPass({ ...terms, key: key.publicKey, title: 'Lamp' }, issuer, fabric);
    const proof = key.sign(presentationBytes(fabric, key.publicKey, stranger.publicKey));
    return desk.receive({ pass, proof, records: [], presenter: peerIdOf(stranger.publicKey) });
  };
  for (let n = 0; n < 1024; n++) await come(thief);
  await assert.rejects(come(admin), { code: 'too-many' });
  admins.delete(peerIdOf(thief.publicKey));
  await come(admin);
  assert.equal(notes.size, 1);
});
