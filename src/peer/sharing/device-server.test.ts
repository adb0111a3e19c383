import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../../core/bytes.ts';
import type { AlthingError } from '../../core/errors.ts';
import { thingIdOf } from '../../core/ids.ts';
import { type Authority, computeAuthority } from '../../fabric/authority.ts';
import type { ControlRecord } from '../../fabric/control.ts';
import { openPass, signPass } from '../../fabric/pass.ts';
import type { GrantScope } from '../../fabric/scope.ts';
import type { Visitor } from '../../net/handshake.ts';
import type { Session } from '../../net/session.ts';
import { nodeCrypto } from '../../store/node-crypto.ts';
import {
  controlRecord,
  foundedMs,
  labFabric,
  memberRecord,
  peerId,
  peerSigner,
  revocationRecord,
} from '../../testing/control-lab.ts';
import { StepLab } from '../../testing/step-lab.ts';
import { labContext } from '../../testing/thing-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';
import type { ExposedThing } from '../../thing/exposed-thing.ts';
import type { StreamHandle, StreamSink, ThingCall } from '../../thing/operations.ts';
import type { ThingDescription } from '../../thing/thing-description.ts';
import type { ServedThing } from '../exposed-things.ts';
import { AccessGate } from './access-gate.ts';
import { DeviceServer } from './device-server.ts';
import { directoryIdOf, ServedDirectory } from './served-directory.ts';

const device = peerId(0);
const guest = peerId(1);
const lamp = thingIdOf(device, 'lamp');
const lock = thingIdOf(device, 'lock');
const member: Visitor = { kind: 'member' };

const form = (op: string[]) => [{ href: 'althing:x', op }];
const tdOf = (id: string, type: string, rest: object = {}): ThingDescription =>
  ({
    id,
    title: id,
    '@type': type,
    properties: {
      on: { forms: form(['readproperty', 'writeproperty', 'observeproperty', 'unobserveproperty']) },
      pin: { writeOnly: true, forms: form(['writeproperty']) },
    },
    actions: { toggle: { forms: form(['invokeaction']) } },
    forms: form(['readallproperties', 'readmultipleproperties', 'writemultipleproperties']),
    ...rest,
  }) as unknown as ThingDescription;

/** A device whose Things answer with what they were asked, and whose clock stands where the test puts it. */
class Device {
  readonly records: ControlRecord[] = [memberRecord(0, 1)];
  readonly things = new Map<string, ServedThing>();
  readonly opened = new Map<StreamSink, { stopped: boolean }>();
  time = { ms: foundedMs + 100_000, known: true };
  readonly gate: AccessGate;
  readonly #server: DeviceServer;
  #authority: Authority | undefined;

  constructor() {
    this.add(tdOf(lamp, 'Light'));
    this.add(tdOf(lock, 'Lock'));
    this.gate = new AccessGate({
      authority: () => this.authority,
      authorityFor: () => this.authority,
      roleOf: (peer) => this.authority.members.get(peer)?.role,
      time: () => this.time,
      ruleAllows: () => false,
      ruleForbids: () => false,
      nameOf: () => 'visitor',
    });
    const directory = new ServedDirectory({
      self: device,
      gate: this.gate,
      exposed: () => this.things.values(),
      all: () => [...this.things.values()].map(({ td }) => td),
      card: () => ({ name: 'hall', addresses: ['127.0.0.1:1'] }),
      speakerOf: (peer) => peer,
      proofOf: () => [],
    });
    const exposed = (id: string): ServedThing | undefined => this.things.get(id);
    this.#server = new DeviceServer({
      self: device,
      gate: this.gate,
      directory,
      rules: Object.assign(new StepLab(), { loading: undefined }),
      exposed,
    });
  }

  get authority(): Authority {
    this.#authority ??= computeAuthority(labFabric, this.records, nodeCrypto);
    return this.#authority;
  }

  add(td: ThingDescription): void {
    const thing = {
      request: async (call: ThingCall) => call,
      stream: async (_call: ThingCall, sink: StreamSink) => {
        const state = { stopped: false };
        this.opened.set(sink, state);
        return {
          position: { run: 'r', seq: 0 },
          stop: () => {
            state.stopped = true;
          },
        };
      },
    } as unknown as ExposedThing;
    this.things.set(td.id, { thing, td, scoped: { id: td.id, types: [td['@type'] as string] } });
  }

  /** Control records arrive. */
  learn(...records: ControlRecord[]): void {
    this.records.push(...records);
    this.#authority = undefined;
    this.gate.recheck();
  }

  call(
    call: Omit<ThingCall, 'op'> & { op: string },
    visitor: Visitor = member,
    peer = guest,
  ): Promise<unknown> {
    const uriVariables = call.uriVariables ?? {};
    const context = labContext({ peer, uriVariables });
    return this.#server.serverFor(visitor).request(call as ThingCall<'readproperty'>, context);
  }

  /** Observes; gives what the sink was told. */
  async observe(thing: string, name: string, visitor: Visitor = member): Promise<(AlthingError | null)[]> {
    const told: (AlthingError | null)[] = [];
    const sink: StreamSink = { next: () => told.push(null), error: (error) => told.push(error) };
    await this.#server
      .serverFor(visitor)
      .stream({ thing, op: 'observeproperty', name }, sink, labContext({ peer: guest }));
    return told;
  }

  /** Follows the directory. */
  follow(peer = guest): Promise<StreamHandle> {
    const sink: StreamSink = { next: () => {}, error: () => {} };
    const call = { thing: directoryIdOf(device), op: 'observeproperty', name: 'things' } as const;
    return this.#server.serverFor(member).stream(call, sink, labContext({ peer }));
  }

  /** A session with this visitor begins; gives why it was closed, once it is. */
  guard(visitor: Visitor): AlthingError[] {
    const closed: AlthingError[] = [];
    const session = { peer: guest, visitor, close: (reason: AlthingError) => closed.push(reason) };
    this.#server.guard(session as unknown as Session);
    return closed;
  }

  get openStreams(): number {
    return [...this.opened.values()].filter(({ stopped }) => !stopped).length;
  }
}

const toGuest = controlRecord(0, 3, {
  type: 'role',
  prev: null,
  peer: peerSigner(1).publicKey,
  role: 'guest',
});
const granted = (scope: Partial<GrantScope> = {}, atMs = 5): ControlRecord =>
  controlRecord(0, atMs, {
    type: 'grant',
    prev: null,
    subject: { kind: 'peer', peer: peerSigner(1).publicKey },
    things: { kind: 'ids', ids: [lamp] },
    operations: ['read'],
    affordances: null,
    notBefore: null,
    expires: null,
    ...scope,
  });
const withdrawn = ({ hash }: ControlRecord): ControlRecord =>
  controlRecord(0, 6, { type: 'withdrawal', prev: null, grant: Buffer.from(hash, 'hex') });
const read = { thing: lamp, op: 'readproperty', name: 'on' };
const codes = (told: readonly (AlthingError | null)[]) => told.map((one) => one?.code ?? 'value');

test('a member uses what is not restricted, a guest only what is granted, and a refusal says what helps', async () => {
  const hall = new Device();
  assert.ok(await hall.call(read));
  await assert.rejects(hall.call({ ...read, thing: lock }), {
    code: 'forbidden',
    message: /restricted.*althing grant visitor lock/,
  });
  hall.learn(toGuest);
  await assert.rejects(hall.call(read), { code: 'forbidden', message: /guest.*althing grant visitor lamp/ });
  hall.learn(granted());
  assert.ok(await hall.call(read));
  await assert.rejects(hall.call({ ...read, op: 'writeproperty' }), { code: 'forbidden' });
  await assert.rejects(hall.call(read, member, peerId(5)), { code: 'forbidden', message: /does not belong/ });
});

test('who may not use a Thing is not told whether there is one', async () => {
  const hall = new Device();
  hall.learn(toGuest);
  const none = thingIdOf(device, 'none');
  const messageOf = (thing: string) =>
    hall.call({ ...read, thing }).then(
      () => '',
      (error: AlthingError) => `${error.code} ${error.message.replaceAll(/lamp|none/g, 'it')}`,
    );
  assert.equal(await messageOf(lamp), await messageOf(none));
});

const ends: Record<string, (hall: Device, grant: ControlRecord) => void> = {
  'the grant is withdrawn': (hall, grant) => hall.learn(withdrawn(grant)),
  'the peer is revoked': (hall) => hall.learn(revocationRecord(0, 1)),
};
for (const [what, end] of Object.entries(ends))
  test(`an open stream ends with forbidden when ${what}`, async () => {
    const hall = new Device();
    const grant = granted();
    hall.learn(toGuest, grant);
    const told = await hall.observe(lamp, 'on');
    hall.learn(granted({ operations: ['invoke'] }, 7));
    assert.deepEqual(codes(told), []);
    end(hall, grant);
    assert.deepEqual(codes(told), ['forbidden']);
    assert.equal(hall.openStreams, 0);
  });

test('an open stream of a member ends when the Thing becomes restricted or the member a guest', async () => {
  for (const record of [
    controlRecord(0, 5, { type: 'restriction', prev: null, thing: lamp, restricted: true }),
    toGuest,
  ]) {
    const hall = new Device();
    const told = await hall.observe(lamp, 'on');
    hall.learn(record);
    assert.deepEqual(codes(told), ['forbidden']);
  }
});

test('an open stream ends by itself when its grant expires, without any news', async (t) => {
  const hall = new Device();
  t.after(() => hall.gate.close());
  hall.learn(toGuest, granted({ expires: hall.time.ms + 50 }));
  const told = await hall.observe(lamp, 'on');
  hall.time = { ms: hall.time.ms + 50, known: true };
  await waitFor(() => told.length > 0, { what: 'the stream to end' });
  assert.deepEqual(codes(told), ['forbidden']);
});

test('where the time is not known, grants that end are closed, and the refusal says so', async () => {
  const hall = new Device();
  hall.learn(toGuest, granted({ expires: hall.time.ms + 1000 }));
  hall.time = { ms: 0, known: false };
  await assert.rejects(hall.call(read), { code: 'clock-unknown', message: /does not know the time/ });
  // Nobody's subscription ends for good because a device started without a battery in its clock.
  await assert.rejects(hall.observe(lamp, 'on'), { code: 'clock-unknown' });
  hall.learn(withdrawn(hall.records.at(-1)!));
  await assert.rejects(hall.call(read), { code: 'forbidden' });
});

const directory = directoryIdOf(device);
interface Page {
  things: string[];
  next: string | null;
}
const page = async (hall: Device, after?: string, visitor: Visitor = member): Promise<Page> =>
  (await hall.call(
    { thing: directory, op: 'readproperty', name: 'things', ...(after && { uriVariables: { after } }) },
    visitor,
  )) as Page;

test("a guest's directory shows what it may use, cut down to that, and tells when this changes", async () => {
  const hall = new Device();
  hall.learn(toGuest);
  assert.deepEqual(await page(hall), { things: [], next: null });
  const told = await hall.observe(directory, 'things');
  hall.learn(granted());
  assert.deepEqual(codes(told), ['value']);
  const { things } = await page(hall);
  const [td] = things.map((text) => JSON.parse(text) as ThingDescription);
  assert.equal(things.length, 1);
  assert.deepEqual(td?.properties, {
    on: { forms: form(['readproperty', 'observeproperty', 'unobserveproperty']), readOnly: true },
  });
  assert.equal(td?.actions, undefined);
  assert.deepEqual(td?.forms?.[0]?.op, ['readallproperties', 'readmultipleproperties']);
  hall.learn(controlRecord(0, 9, { type: 'restriction', prev: null, thing: lock, restricted: true }));
  assert.deepEqual(codes(told), ['value'], 'what the guest cannot see is no news');
});

test('a directory of many megabytes comes in pages, each Thing once', async () => {
  const hall = new Device();
  for (let n = 0; n < 60; n++)
    hall.add(tdOf(thingIdOf(device, `t${n}`), 'Light', { description: 'x'.repeat(60_000) }));
  hall.learn(toGuest, granted({ things: { kind: 'all' } }));
  const ids: string[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const { things, next }: Page = await page(hall, after);
    assert.ok(Buffer.byteLength(JSON.stringify(things)) < 400_000);
    ids.push(...things.map((text) => (JSON.parse(text) as ThingDescription).id));
    after = next;
  }
  assert.deepEqual(ids, [...hall.things.keys()].sort());
});

const passKey = nodeCrypto.signer(new Uint8Array(32).fill(9));
const passFor = (issuer: number, expires: number): Visitor => ({
  kind: 'pass',
  pass: openPass(
    signPass(
      {
        key: passKey.publicKey,
        things: [lock],
        operations: ['read'],
        affordances: ['on'],
        expires,
        uses: 1,
        title: 'Lock',
      },
      peerSigner(issuer),
      labFabric.id,
    ),
    labFabric.id,
    nodeCrypto,
  ),
});

test('a pass covers what it names and nothing else, and ends with its time, its issuer or its end', async () => {
  const hall = new Device();
  const pass = passFor(0, hall.time.ms + 1000);
  const readLock = { ...read, thing: lock };
  assert.ok(await hall.call(readLock, pass));
  assert.equal((await page(hall, '', pass)).things.length, 1);
  for (const refused of [
    read,
    { ...readLock, op: 'writeproperty' },
    { ...readLock, name: 'pin' },
    { thing: lock, op: 'readallproperties' },
  ])
    await assert.rejects(hall.call(refused, pass), { code: 'forbidden' });
  await assert.rejects(hall.call(readLock, passFor(1, hall.time.ms + 1000)), { code: 'forbidden' });
  await assert.rejects(hall.call(readLock, passFor(0, hall.time.ms)), { code: 'forbidden' });
  const told = await hall.observe(lock, 'on', pass);
  hall.learn(controlRecord(0, 9, { type: 'revocation', prev: null, what: 'pass', key: passKey.publicKey }));
  assert.ok(hall.authority.endedPasses.has(toHex(passKey.publicKey)));
  assert.deepEqual(codes(told), ['forbidden']);
  await assert.rejects(hall.call(readLock, pass), { code: 'forbidden' });
});

test('a session that begins in the moment in which its pass ends is closed at once', async (t) => {
  const hall = new Device();
  t.after(() => hall.gate.close());
  // The device was slow to remember the holder: the pass has ended between its check and the session.
  const closed = hall.guard(passFor(0, hall.time.ms));
  await Promise.resolve();
  assert.deepEqual(codes(closed), ['forbidden']);
  assert.deepEqual(hall.guard(passFor(0, hall.time.ms + 1000)), []);
});

test('nobody makes a device compare its directory a thousand times by following it a thousand times', async (t) => {
  const hall = new Device();
  t.after(() => hall.gate.close());
  const handles = await Promise.all(Array.from({ length: 8 }, () => hall.follow()));
  await assert.rejects(hall.follow(), { code: 'too-many' });
  await hall.follow(peerId(2));
  handles[0]!.stop();
  handles[0]!.stop();
  await hall.follow();
  await assert.rejects(hall.follow(), { code: 'too-many' });
});
