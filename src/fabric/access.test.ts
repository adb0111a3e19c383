import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '../core/bytes.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { controlRecord, labFabric, memberRecord, peerId, peerSigner } from '../testing/control-lab.ts';
import type { Operation, ThingCall } from '../thing/operations.ts';
import { isRestricted, mayCall, maySee } from './access.ts';
import { type Authority, computeAuthority } from './authority.ts';
import type { ControlRecord } from './control.ts';
import type { GrantScope } from './scope.ts';

const lamp = { id: 'urn:lamp', types: ['Light'] };
const lock = { id: 'urn:lock', types: ['iot:Lock'] };
const now = { ms: 1000, known: true };

const compute = (...records: ControlRecord[]): Authority => computeAuthority(labFabric, records, nodeCrypto);
const granted = (
  scope: Partial<GrantScope>,
  subject: object = { kind: 'peer', peer: peerSigner(1).publicKey },
  author = 0,
): ControlRecord =>
  controlRecord(author, 5, {
    type: 'grant',
    prev: null,
    subject,
    things: { kind: 'ids', ids: [lock.id] },
    operations: ['read'],
    affordances: null,
    notBefore: null,
    expires: null,
    ...scope,
  });
const call = (thing: string, op: Operation, name?: string, input?: unknown): ThingCall => ({
  thing,
  op,
  ...(name !== undefined && { name }),
  ...(input !== undefined && { input }),
});
const member = { peer: peerId(1), role: 'member' } as const;
const guest = { peer: peerId(1), role: 'guest' } as const;
const readLock = call(lock.id, 'readproperty', 'locked');

test('an admin uses everything, a member what is not restricted, a guest and a stranger nothing', () => {
  const authority = compute();
  const may = (role: 'admin' | 'member' | 'guest' | undefined, thing: typeof lamp) =>
    mayCall(authority, { peer: peerId(1), role }, thing, call(thing.id, 'writeproperty', 'on'), now);
  assert.deepEqual(
    (['admin', 'member', 'guest', undefined] as const).map((role) => [may(role, lamp), may(role, lock)]),
    [
      [true, true],
      [true, false],
      [false, false],
      [false, false],
    ],
  );
});

test('locks, cameras and alarms are restricted, with or without a prefix, until an admin says otherwise', () => {
  for (const type of ['Lock', 'Camera', 'iot:Alarm', 'https://schema.example/x#Lock'])
    assert.ok(isRestricted(compute(), { id: 'urn:x', types: [type] }), type);
  for (const type of ['Locker', 'Light', 'lock'])
    assert.ok(!isRestricted(compute(), { id: 'x', types: [type] }));
  const say = (author: number, thing: string, restricted: boolean) =>
    controlRecord(author, 3, { type: 'restriction', prev: null, thing, restricted });
  assert.ok(isRestricted(compute(say(0, lamp.id, true)), lamp));
  assert.ok(!isRestricted(compute(say(0, lock.id, false)), lock));
  assert.ok(isRestricted(compute(memberRecord(0, 1), say(1, lock.id, false)), lock));
});

test('a grant lets its subject do just what it names', () => {
  const authority = compute(granted({ operations: ['read', 'invoke'], affordances: ['locked', 'open'] }));
  const may = (asked: ThingCall, asker: { peer: string; role: 'member' | 'guest' } = member, thing = lock) =>
    mayCall(authority, asker, thing, asked, now);
  assert.ok(may(readLock));
  assert.ok(may(call(lock.id, 'observeproperty', 'locked'), guest));
  assert.ok(may(call(lock.id, 'invokeaction', 'open')));
  assert.ok(may(call(lock.id, 'readmultipleproperties', undefined, ['locked'])));
  assert.ok(!may(call(lock.id, 'readmultipleproperties', undefined, ['locked', 'code'])));
  assert.ok(!may(call(lock.id, 'readallproperties')));
  assert.ok(!may(call(lock.id, 'writeproperty', 'locked')));
  assert.ok(!may(call(lock.id, 'writemultipleproperties', undefined, { locked: true })));
  assert.ok(!may(call(lock.id, 'readproperty', 'code')));
  assert.ok(!may(call(lock.id, 'subscribeevent', 'opened')));
  assert.ok(!may(readLock, { peer: peerId(2), role: 'member' }));
  assert.ok(!may(call(lamp.id, 'readproperty', 'on'), guest, lamp));
});

test('grants reach Things by type, and subjects by role', () => {
  const authority = compute(
    granted({ things: { kind: 'types', types: ['Light'] } }, { kind: 'role', role: 'guest' }),
  );
  assert.ok(mayCall(authority, guest, lamp, call(lamp.id, 'readproperty', 'on'), now));
  assert.ok(!mayCall(authority, guest, lock, readLock, now));
  assert.ok(maySee(authority, guest, lamp, now));
  assert.ok(!maySee(authority, guest, lock, now));
});

test('a grant is open from its beginning to its end, and closed where the time is not known', () => {
  const authority = compute(granted({ notBefore: 1000, expires: 2000 }));
  const at = (ms: number, known = true) => mayCall(authority, guest, lock, readLock, { ms, known });
  assert.deepEqual(
    [at(999), at(1000), at(1999), at(2000), at(1500, false)],
    [false, true, true, false, false],
  );
  assert.ok(mayCall(compute(granted({})), guest, lock, readLock, { ms: 0, known: false }));
});

test('a grant ends when an admin says so, and only then; nobody else makes one', () => {
  const grant = granted({});
  const end = (author: number) =>
    controlRecord(author, 9, { type: 'withdrawal', prev: null, grant: fromHex(grant.hash) });
  const may = (...records: ControlRecord[]) => mayCall(compute(...records), guest, lock, readLock, now);
  assert.ok(may(grant));
  assert.ok(!may(grant, end(0)));
  assert.ok(may(grant, memberRecord(0, 1), end(1)));
  assert.ok(!may(memberRecord(0, 1), granted({}, undefined, 1)));
});

test('a grant to a peer that was replaced is its successor’s', () => {
  const authority = compute(
    memberRecord(0, 1),
    memberRecord(0, 2),
    granted({}),
    controlRecord(0, 8, {
      type: 'replacement',
      prev: null,
      old: peerSigner(1).publicKey,
      new: peerSigner(2).publicKey,
    }),
  );
  assert.ok(mayCall(authority, { peer: peerId(2), role: 'member' }, lock, readLock, now));
  assert.ok(!mayCall(authority, { peer: peerId(3), role: 'member' }, lock, readLock, now));
});
