import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding, PeerInfo } from '../core/api-shapes.ts';
import { type DoctorFacts, diagnose } from './diagnosis.ts';

const now = Date.UTC(2030, 0, 1);
const member = (name: string, state: PeerInfo['state'], more: Partial<PeerInfo> = {}): PeerInfo => ({
  peer: `z6Mk${name}`,
  name,
  role: 'member',
  state,
  rttMs: null,
  address: '192.0.2.7:7421',
  lastSeen: null,
  ...more,
});
const sound: DoctorFacts = {
  nowMs: now,
  self: 'z6Mkme',
  gone: undefined,
  clock: { offsetMs: 20, known: true },
  disk: { freeBytes: 2 ** 33, failure: undefined },
  files: { readable: [], wordsUnseen: false },
  network: { addresses: ['192.0.2.1:7421'], announces: true },
  members: [member('me', 'self'), member('lamp', 'online')],
  admins: 2,
  unconfirmed: [],
  proposals: [],
  frauds: [],
  ownFraud: false,
  quarantined: [],
  overQuota: [],
  withheld: [],
};
const bad = (facts: Partial<DoctorFacts>): Finding[] =>
  diagnose({ ...sound, ...facts }).findings.filter(({ level }) => level !== 'ok');

test('a peer with nothing wrong is healthy, and what was looked at is told', () => {
  const { healthy, findings } = diagnose(sound);
  assert.ok(healthy);
  assert.deepEqual([...new Set(findings.map(({ level }) => level))], ['ok']);
  assert.ok(findings.length >= 5);
});

test('every finding that is not fine says what to do', () => {
  const everything: Partial<DoctorFacts> = {
    clock: { offsetMs: -70_000, known: true },
    disk: { freeBytes: 1024, failure: { code: 'disk-full', message: 'The disk is full.' } },
    files: { readable: ['identity.key'], wordsUnseen: true },
    network: { addresses: ['127.0.0.1:7421'], announces: false },
    members: [member('me', 'self'), member('lamp', 'offline'), member('door', 'offline')],
    admins: 0,
    unconfirmed: ['z6Mklamp'],
    proposals: [{ id: 'ab'.repeat(32), needs: 1 }],
    frauds: ['z6Mkdoor', 'z6Mkme'],
    ownFraud: true,
    quarantined: [{ author: 'z6Mklamp', untilMs: now + 3_600_000 }],
    overQuota: ['z6Mkdoor'],
    withheld: [{ peer: 'z6Mkdoor', author: 'z6Mklamp' }],
  };
  const findings = bad(everything);
  assert.ok(findings.length >= 15);
  for (const { message, advice } of findings) assert.ok(message.length > 10 && (advice ?? '').length > 10);
  const levels = diagnose({ ...sound, ...everything }).findings.map(({ level }) => level);
  assert.deepEqual(
    levels,
    levels.toSorted((a, b) => 'pwo'.indexOf(a[0]!) - 'pwo'.indexOf(b[0]!)),
  );
  assert.equal(diagnose({ ...sound, ...everything }).healthy, false);
});

test('one that is out is told so, and nothing of a fabric that is none of its business any more', () => {
  const gone = { how: 'revoked', atMs: now - 120_000 } as const;
  const { healthy, findings } = diagnose({ ...sound, gone, admins: 0, frauds: ['z6Mklamp'] });
  assert.equal(healthy, false);
  assert.match(findings[0]!.message, /put out.*2 minutes ago/);
  assert.deepEqual([...new Set(findings.map(({ check }) => check))], ['membership', 'disk', 'keys']);
});

test('members are called by their names, and each away is told with its last address and time', () => {
  const lastSeen = new Date(now - 5 * 60_000).toISOString();
  const [found] = bad({ members: [member('me', 'self'), member('lamp', 'offline', { lastSeen })] });
  assert.equal(found!.peer, 'z6Mklamp');
  assert.match(found!.message, /lamp cannot be reached.*5 minutes ago.*192\.0\.2\.7:7421/);
});

test('a clock a few seconds off is a warning, a minute off a problem, an unknown one too', () => {
  const level = (clock: DoctorFacts['clock']) => bad({ clock })[0]?.level;
  assert.equal(level({ offsetMs: 4000, known: true }), undefined);
  assert.equal(level({ offsetMs: 6000, known: true }), 'warning');
  assert.equal(level({ offsetMs: -61_000, known: true }), 'problem');
  assert.equal(level({ offsetMs: 0, known: false }), 'problem');
});

test('a damaged store is told apart from a full disk', () => {
  const advice = (code: string) =>
    bad({ disk: { freeBytes: null, failure: { code, message: 'It failed.' } } })[0]!.advice!;
  assert.match(advice('store-corrupt'), /althing rebuild/);
  assert.match(advice('disk-full'), /by itself/);
});

test('one’s own contradiction is told as a copied home, those of others by name', () => {
  const [own] = bad({ ownFraud: true, frauds: ['z6Mkme'] });
  assert.match(own!.message, /copied|stolen/);
  const [other] = bad({ frauds: ['z6Mklamp'] });
  assert.match(other!.message, /^lamp /);
});
