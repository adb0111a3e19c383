import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AlthingError } from '../core/errors.ts';
import { parseTd, validateTd } from './validate-td.ts';

const form = { href: 'althing://x' };
const valid = {
  '@context': 'https://www.w3.org/2022/wot/td/v1.1',
  id: 'urn:x:lamp',
  title: 'Lamp',
  security: 'nosec_sc',
  securityDefinitions: { nosec_sc: { scheme: 'nosec' } },
  properties: { on: { type: 'boolean', forms: [form] } },
};

const problemsOf = async (td: unknown): Promise<{ pointer: string; problem: string }[]> => {
  try {
    await validateTd(td);
    return [];
  } catch (error) {
    assert(error instanceof AlthingError);
    assert.equal(error.code, 'td-invalid');
    return error.details!.problems as { pointer: string; problem: string }[];
  }
};

test('a valid TD passes', async () => {
  assert.deepEqual(await problemsOf(valid), []);
});

test('what the schema of TD 1.1 refuses is refused with its place', async () => {
  const cases: [object, string, RegExp][] = [
    [{ ...valid, title: undefined }, '', /'title'/],
    [{ ...valid, '@context': 'https://example.com' }, '/@context', /td\/v1\.1/],
    [{ ...valid, id: 'no uri' }, '/id', /uri/],
    [{ ...valid, properties: { on: {} } }, '/properties/on', /'forms'/],
    [
      { ...valid, properties: { 'a/b': { type: 'bool', forms: [form] } } },
      '/properties/a~1b/type',
      /"boolean"/,
    ],
    [
      { ...valid, actions: { go: { forms: [{ ...form, op: 'readproperty' }] } } },
      '/actions/go/forms/0/op',
      /invokeaction/,
    ],
    [{ ...valid, created: 'yesterday' }, '/created', /date-time/],
  ];
  for (const [td, pointer, problem] of cases) {
    const found = (await problemsOf(td)).find((entry) => entry.pointer === pointer);
    assert(found, `${pointer}: ${JSON.stringify(await problemsOf(td))}`);
    assert.match(found.problem, problem);
  }
});

test('the message names title, place and problem', async () => {
  await assert.rejects(validateTd({ ...valid, properties: { on: {} } }), {
    message: /of "Lamp" is not valid: at \/properties\/on: it must have required property 'forms'\./,
  });
});

test('names of security that nobody defined, or that are named twice, are refused', async () => {
  const cases: [object, string][] = [
    [{ ...valid, security: 'other' }, '/security'],
    [{ ...valid, security: ['nosec_sc', 'nosec_sc'] }, '/security'],
    [{ ...valid, security: 'toString' }, '/security'],
    [
      { ...valid, properties: { on: { forms: [{ ...form, security: 'x' }] } } },
      '/properties/on/forms/0/security',
    ],
    [{ ...valid, forms: [{ ...form, op: 'readallproperties', security: 'x' }] }, '/forms/0/security'],
    [
      {
        ...valid,
        securityDefinitions: {
          nosec_sc: { scheme: 'nosec' },
          both: { scheme: 'combo', allOf: ['nosec_sc', 'x'] },
        },
      },
      '/securityDefinitions/both/allOf',
    ],
  ];
  for (const [td, pointer] of cases) assert.equal((await problemsOf(td))[0]?.pointer, pointer);
});

test('Thing Models are no Thing Descriptions', async () => {
  const cases: [object, string][] = [
    [{ ...valid, '@type': 'tm:ThingModel' }, '/@type'],
    [{ ...valid, '@type': ['Light', 'tm:ThingModel'] }, '/@type'],
    [{ ...valid, title: 'Lamp {{NUMBER}}' }, '/title'],
    [{ ...valid, properties: { '{{NAME}}': { forms: [form] } } }, '/properties/{{NAME}}'],
    [{ ...valid, properties: { on: { 'tm:ref': 'x', forms: [form] } } }, '/properties/on/tm:ref'],
    [{ ...valid, 'tm:optional': ['/properties/on'] }, '/tm:optional'],
  ];
  for (const [td, pointer] of cases) assert.equal((await problemsOf(td))[0]?.pointer, pointer);
});

test('one link says which Thing Model it is an instance of, not two', async () => {
  const link = { href: 'https://example.com/lamp.tm.json', rel: 'type', type: 'application/tm+json' };
  assert.deepEqual(await problemsOf({ ...valid, links: [link, { href: 'x', rel: 'manual' }] }), []);
  assert.equal((await problemsOf({ ...valid, links: [link, link] }))[0]?.pointer, '/links/1');
});

test('a property that can be neither read nor written, and an empty name, are refused', async () => {
  const dead = { ...valid, properties: { on: { readOnly: true, writeOnly: true, forms: [form] } } };
  assert.equal((await problemsOf(dead))[0]?.pointer, '/properties/on');
  assert.equal((await problemsOf({ ...valid, events: { '': { forms: [form] } } }))[0]?.pointer, '/events/');
});

test('one name may serve a property, an action and an event', async () => {
  assert.deepEqual(
    await problemsOf({ ...valid, actions: { on: { forms: [form] } }, events: { on: { forms: [form] } } }),
    [],
  );
});

test('no more than five problems are told', async () => {
  const properties = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`p${i}`, {}]));
  assert.equal((await problemsOf({ ...valid, properties })).length, 5);
});

test('too large, too deep, circular and no object are td-invalid', async () => {
  const circular: Record<string, unknown> = { ...valid };
  circular.self = circular;
  for (const td of [
    { ...valid, description: 'x'.repeat(62_000) },
    circular,
    null,
    [],
    'x',
    { ...valid, x: 1n },
  ])
    assert.equal((await problemsOf(td)).length, 1);
});

test('a TD as text is refused where a name is there twice', async () => {
  const text = JSON.stringify(valid);
  assert.deepEqual(await parseTd(text), valid);
  const twice = text.replace('"properties":{', '"properties":{"on":{"forms":[{"href":"x"}]},');
  await assert.rejects(parseTd(twice), {
    code: 'td-invalid',
    message: /at \/properties\/on: it is there twice/,
  });
  await assert.rejects(parseTd('{"title":'), { code: 'td-invalid' });
  await assert.rejects(parseTd(' '.repeat(300_000)), { code: 'td-invalid' });
});

test('whatever is given, the answer is td-invalid or nothing', async () => {
  const damaged = fc
    .tuple(
      fc.constantFrom(...Object.keys(valid), 'links', 'forms', 'actions', 'events', '@type'),
      fc.jsonValue(),
    )
    .map(([name, value]) => ({ ...valid, [name]: value }));
  await fc.assert(
    fc.asyncProperty(fc.oneof(damaged, fc.jsonValue()), async (td) => {
      await problemsOf(td);
    }),
    { numRuns: 200 },
  );
});
