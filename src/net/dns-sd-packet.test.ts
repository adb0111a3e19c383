/**
 * What is promised of the announcement's message: it comes back as it was sent, and nothing malformed is taken for one.
 * Relies on fast-check; a failing law prints its seed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DnsPacket, DnsRecord } from './dns-sd-packet.ts';
import {
  announcementPacket,
  asksForUs,
  heardInstances,
  instanceName,
  question,
  serviceName,
} from './dns-sd-packet.ts';

const names = { instance: 'abc123', host: 'althing-xyz.local' };
const announcement = { salt: new Uint8Array(16).fill(7), tag: new Uint8Array(32).fill(9), port: 7421 };
const packet = announcementPacket(names, announcement, ['10.0.0.1', 'fd00::1']);

/** The packet with one of its records changed. */
const altered = (type: string, change: (record: DnsRecord) => Partial<DnsRecord>): DnsPacket => ({
  ...packet,
  answers: packet.answers!.map((record) =>
    record.type === type ? { ...record, ...change(record) } : record,
  ),
});

test('an announcement is heard as it was made', () => {
  const bytes = (sizeBytes: number) => fc.uint8Array({ minLength: sizeBytes, maxLength: sizeBytes });
  fc.assert(
    fc.property(
      bytes(16),
      bytes(32),
      fc.integer({ min: 1, max: 65535 }),
      fc.stringMatching(/^[a-z0-9]{1,32}$/),
      (salt, tag, port, instance) => {
        const sent = announcementPacket({ ...names, instance }, { salt, tag, port }, ['10.0.0.1', 'fd00::1']);
        assert.deepEqual(heardInstances(sent), [
          { instance, ttlSeconds: 120, salt, tag, port, addresses: ['10.0.0.1', 'fd00::1'] },
        ]);
      },
    ),
  );
});

test('at most 8 addresses are announced', () => {
  const many = Array.from({ length: 20 }, (_, i) => `10.0.0.${i + 1}`);
  assert.equal(announcementPacket(names, announcement, many).additionals?.length, 8);
});

test('an announcement with a malformed part is not heard', () => {
  const txt = (...data: unknown[]) => altered('TXT', () => ({ data }));
  const [v, s, t] = packet.answers!.find(({ type }) => type === 'TXT')!.data as string[];
  assert.equal(heardInstances(txt(v, s, t)).length, 1, 'the test itself alters nothing else');
  const malformed = [
    txt(v, s),
    txt(v, t),
    txt(s, t),
    txt('v=2', s, t),
    txt(v, `${s}A`, t),
    txt(v, s, t?.slice(0, -1)),
    txt(v, s, `${t?.slice(0, -1)}=`),
    txt(v, s, t?.replace('CQ', '+/')),
    txt(v, s, t, 7),
    txt(...Array.from({ length: 17 }, () => v), s, t),
    altered('TXT', () => ({ data: 'v=1' })),
    altered('SRV', () => ({ data: { port: 0, target: names.host } })),
    altered('SRV', () => ({ data: { port: 65536, target: names.host } })),
    altered('SRV', () => ({ data: null })),
    altered('SRV', () => ({ name: `x.y.${serviceName}` })),
    altered('SRV', () => ({ name: serviceName })),
    altered('SRV', () => ({ name: `${'a'.repeat(33)}.${serviceName}` })),
  ];
  for (const one of malformed) assert.deepEqual(heardInstances(one), [], JSON.stringify(one.answers));
});

test('addresses that are nobody else are left out', () => {
  const bad = [
    '127.0.0.1',
    '0.0.0.0',
    '224.0.0.251',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'ff02::fb',
    'x',
  ];
  const sent = announcementPacket(names, announcement, ['10.0.0.1']);
  for (const data of bad) {
    const additionals = [
      ...sent.additionals!,
      { name: names.host, type: data.includes(':') ? 'AAAA' : 'A', data },
    ];
    assert.deepEqual(heardInstances({ ...sent, additionals })[0]?.addresses, ['10.0.0.1'], data);
  }
});

test('no message makes the parser throw', () => {
  const record = fc.record(
    {
      name: fc.constantFrom(instanceName('abc'), serviceName, names.host, '', '.'),
      type: fc.constantFrom('PTR', 'SRV', 'TXT', 'A', 'AAAA', 'OPT', 'UNKNOWN_7'),
      ttl: fc.integer(),
      data: fc.oneof(
        fc.anything(),
        fc.array(fc.oneof(fc.uint8Array(), fc.string())),
        fc.record({ port: fc.anything(), target: fc.anything() }),
      ),
    },
    { requiredKeys: ['name', 'type'] },
  );
  fc.assert(
    fc.property(fc.array(record), fc.array(record), (answers, additionals) => {
      assert.ok(heardInstances({ type: 'response', answers, additionals } as DnsPacket).length <= 32);
      const asked = { type: 'query', questions: answers, answers: additionals } as DnsPacket;
      assert.equal(typeof asksForUs(asked, names), 'boolean');
    }),
  );
});

test('the questions for the service, the instance and the host are ours, others are not', () => {
  const asks = (name: string, type: string): boolean =>
    asksForUs({ type: 'query', questions: [{ name, type }] }, names);
  assert.ok(asksForUs(question(), names));
  assert.ok(asks('_ALTHING._tcp.LOCAL', 'ANY'));
  for (const type of ['SRV', 'TXT', 'ANY']) assert.ok(asks(instanceName(names.instance), type), type);
  assert.ok(asks(names.host, 'A'));
  assert.ok(!asks(instanceName('other'), 'SRV'));
  assert.ok(!asks(serviceName, 'A'));
  assert.ok(!asks('_http._tcp.local', 'PTR'));
});

test('who shows that it knows us gets no answer, unless what it knows is half expired', () => {
  const known = (ttl: number, data = instanceName(names.instance)): boolean =>
    asksForUs({ ...question(), answers: [{ name: serviceName, type: 'PTR', ttl, data }] }, names);
  assert.equal(known(60), false);
  assert.equal(known(59), true);
  assert.equal(known(120, instanceName('other')), true);
});
