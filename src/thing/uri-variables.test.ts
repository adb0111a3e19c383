import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { checkUriVariables } from './uri-variables.ts';

const affordance = {
  uriVariables: {
    step: { type: 'integer', minimum: 1 },
    ratio: { type: 'number' },
    loud: { type: 'boolean' },
    unit: { type: 'string', enum: ['C', 'F'] },
  },
};

test('text becomes what the schema says', async () => {
  const checked = await checkUriVariables(affordance, { step: '3', ratio: '0.5', loud: 'true', unit: 'C' });
  assert.deepEqual(checked, { step: 3, ratio: 0.5, loud: true, unit: 'C' });
});

test('values that are values already are kept', async () => {
  assert.deepEqual(await checkUriVariables(affordance, { step: 3, loud: false }), { step: 3, loud: false });
});

test('none given are none', async () => {
  assert.deepEqual(await checkUriVariables(affordance, undefined), {});
  assert.deepEqual(await checkUriVariables({}, {}), {});
});

test('what does not fit, and what is not declared, is refused by name', async () => {
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ step: '0' }, /"step".*>= 1/],
    [{ step: '' }, /"step".*integer/],
    [{ step: '1.5' }, /"step".*integer/],
    [{ loud: 'yes' }, /"loud".*boolean/],
    [{ unit: 'K' }, /"unit".*"C", "F"/],
    [{ ratio: Number.NaN }, /"ratio".*NaN/],
    [{ other: 1 }, /no URI variable "other", only step, ratio, loud, unit/],
    [{ toString: 1 }, /no URI variable "toString"/],
  ];
  for (const [given, message] of wrong)
    await assert.rejects(checkUriVariables(affordance, given), (error: AlthingError) => {
      assert(error instanceof AlthingError);
      assert.equal(error.code, 'uri-variable-invalid');
      assert.match(error.message, message);
      return true;
    });
});
