import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AlthingError } from '../core/errors.ts';
import { compileSchema } from './data-schema.ts';

test('a value is checked, and the problem says where', async () => {
  const check = await compileSchema({
    type: 'object',
    properties: { to: { type: 'integer', minimum: 0 }, mode: { enum: ['slow', 'fast'] } },
    required: ['to'],
    additionalProperties: false,
  });
  assert.equal(check({ to: 3, mode: 'slow' }), undefined);
  assert.equal(check({ to: -1 }), '/to must be >= 0');
  assert.equal(check({ to: 1, mode: 'warp' }), '/mode must be one of "slow", "fast"');
  assert.equal(check({ to: 1, x: 1 }), 'must not have "x"');
  assert.match(check({})!, /required property 'to'/);
  assert.equal(check('3'), 'must be object');
});

test("a TD's own terms and unknown formats do not matter", async () => {
  const check = await compileSchema({
    '@type': 'saref:Level',
    type: 'number',
    unit: 'celsius',
    title: 'T',
    titles: { de: 'T' },
    readOnly: true,
    observable: true,
    format: 'no-such-format',
    forms: [{ href: 'x' }],
    uriVariables: { a: { type: 'string' } },
    id: 'my-id',
    $id: 'twice',
    $async: true,
    nullable: true,
    'ex:term': { $ref: 'nowhere' },
  });
  assert.equal(check(3), undefined);
  assert.equal(check('3'), 'must be number');
});

test('known formats are checked', async () => {
  const check = await compileSchema({ type: 'string', format: 'date-time' });
  assert.equal(check('2025-03-12T10:00:00Z'), undefined);
  assert.match(check('yesterday')!, /date-time/);
});

test('steps that binary numbers cannot hold are met', async () => {
  const check = await compileSchema({ type: 'number', multipleOf: 0.1 });
  assert.equal(check(0.3), undefined);
  assert.equal(check(21.7), undefined);
  assert.notEqual(check(0.35), undefined);
});

test('what every object inherits is not a member of it', async () => {
  const check = await compileSchema({ type: 'object', required: ['toString'] });
  assert.notEqual(check({}), undefined);
});

test('a schema that is none is td-invalid', async () => {
  let deep: Record<string, unknown> = { type: 'string' };
  for (let i = 0; i < 40; i++) deep = { type: 'array', items: deep };
  const schemas: Record<string, unknown>[] = [
    { type: 'float' },
    { minimum: '3' },
    { properties: 3 },
    { items: 'string' },
    { pattern: '(' },
    { $ref: '#' },
    { type: 'object', properties: { a: { $ref: '#/definitions/a' } } },
    { enum: Array.from({ length: 5000 }, (_, i) => `name ${i}`) },
    deep,
  ];
  for (const schema of schemas)
    await assert.rejects(compileSchema(schema), (error: AlthingError) => error.code === 'td-invalid');
});

test('Things of one kind share a checker', async () => {
  const one = await compileSchema({ type: 'integer', maximum: 7, title: 'One' });
  assert.equal(await compileSchema({ type: 'integer', maximum: 7, title: 'Two' }), one);
});

test('a schema that says nothing takes everything', async () => {
  for (const schema of [undefined, {}, { title: 'x' }])
    assert.equal((await compileSchema(schema))({ any: ['thing'] }), undefined);
});

test('a value whose members hide what every object has is refused where it is compared, and throws nothing', async () => {
  const check = await compileSchema({ oneOf: [{ type: 'null' }, { const: { a: 1 } }] });
  for (const name of ['toString', 'valueOf'])
    assert.match(check({ [name]: false }) ?? '', /must not have a member "toString"/);
  assert.equal(check({ a: 1 }), undefined);
});

test('checking any JSON value against any schema gives text or nothing, and compiling throws td-invalid only', async () => {
  const word = fc.constantFrom(
    'type',
    'enum',
    'properties',
    'items',
    'required',
    'minimum',
    'oneOf',
    'pattern',
    'x',
  );
  const sensible = fc.constantFrom<Record<string, unknown>>(
    { type: 'string', minLength: 2 },
    { type: 'object', required: ['toString'], properties: { a: { type: 'integer' } } },
    { type: 'array', items: { type: 'number' }, uniqueItems: true },
    { oneOf: [{ type: 'null' }, { const: { a: 1 } }] },
  );
  const schemas = fc.oneof(sensible, fc.dictionary(word, fc.jsonValue(), { maxKeys: 3 }));
  await fc.assert(
    fc.asyncProperty(schemas, fc.jsonValue(), async (schema, value) => {
      try {
        const problem = (await compileSchema(schema as Record<string, unknown>))(value);
        assert(problem === undefined || problem.length > 0);
      } catch (error) {
        assert(error instanceof AlthingError, String(error));
        assert.equal(error.code, 'td-invalid');
      }
    }),
    { numRuns: 150 },
  );
});
