/** The promise that expressions are typed, bounded, know what they need, and never take an unknown for false. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import { allHold } from './all-hold.ts';
import { compileExpression, type Evaluation, type ExpressionInputs } from './expression.ts';
import { readExpression, renameUses } from './expression-syntax.ts';

const known: Record<string, unknown> = {
  lux: 30,
  on: true,
  list: [1, 2, 3],
  deep: { a: { b: 2 } },
  word: 'x',
};
const inputs: ExpressionInputs = {
  read: (use) => {
    if (use.kind === 'property') return known[use.property];
    if (use.kind === 'online') return use.peer === 'phone';
    return use.name === 'n' ? 7 : undefined;
  },
  trigger: { kind: 'event', id: 'bell', event: { who: 'anna', n: 3 }, value: 4 },
  nowMs: Date.UTC(2026, 2, 29, 0, 30),
  zone: 'Europe/Berlin',
};
const types = (use: { kind: string; property?: string }): string | undefined =>
  use.property === 'lux' ? 'double' : use.property === 'on' ? 'bool' : undefined;
const evaluate = (text: string): Evaluation => compileExpression(text, types).evaluate(inputs);

test('expressions give what they say', () => {
  const values: Record<string, unknown> = {
    'thing("h").lux < 50': true,
    'thing("h").lux * 2 + 1': 61,
    'thing("h").lux in [30, 40]': true,
    '-thing("h")["lux"]': -30,
    'thing("h").deep.a.b + 1': 3,
    'thing("h").list[0] + thing("h").list[size(thing("h").list) - 1]': 4,
    'size(thing("h").list) + thing("h").list.size()': 6,
    'thing("h").list.map(i, i * 2).filter(j, j > 2)': [4, 6],
    'thing("h").list.exists(i, i == 3)': true,
    'online("phone") && !online("tv")': true,
    'value("n") * 2': 14,
    'trigger.value * 2': 8,
    'trigger.event.who == "anna" && trigger.id == "bell"': true,
    'has(trigger.event.who) && !has(trigger.event.nobody)': true,
    'hour + minute / 60': 1.5,
    'weekday + " " + date + " " + time': 'sun 2026-03-29 01:30',
    'time >= "01:00" && time < "06:00"': true,
    'now - duration("5m")': '2026-03-29T00:25:00.000Z',
    'max(thing("h").lux, 40) + round(2.6) + floor(1.9) + abs(-1)': 45,
    '{"a": thing("h").lux, "b": [1, "x"]}': { a: 30, b: [1, 'x'] },
    'string(thing("h").lux) + "%"': '30%',
    'hour % 2 == 1 ? "odd" : "even"': 'odd',
  };
  for (const [text, value] of Object.entries(values))
    assert.deepEqual(evaluate(text), { kind: 'value', value }, text);
});

test('what is not known makes the outcome unknown, unless the rest decides alone', () => {
  const away = { kind: 'property', thing: 'h', property: 'away' } as const;
  const unknown = [
    'thing("h").away > 3',
    'thing("h").away > 3 || false',
    'thing("h").on && thing("h").away == 1',
    '!(thing("h").away == 1)',
  ];
  for (const text of unknown) assert.deepEqual(evaluate(text), { kind: 'unknown', missing: [away] }, text);
  const decided: Record<string, boolean> = {
    'thing("h").away > 3 || true': true,
    'thing("h").on || thing("h").away > 3': true,
    'thing("h").away > 3 && false': false,
    'known(thing("h").away)': false,
    'known(thing("h").lux) && !known(value("unset"))': true,
    'known(thing("h").away) ? thing("h").away > 3 : thing("h").lux > 3': true,
    'thing("h").list.exists(i, i > thing("h").away || i == 2)': true,
  };
  for (const [text, value] of Object.entries(decided))
    assert.deepEqual(evaluate(text), { kind: 'value', value }, text);
});

test('conditions together: one false decides, an unknown or an error otherwise is unknown', () => {
  const value = (outcome: unknown): Evaluation => ({ kind: 'value', value: outcome });
  const unknown: Evaluation = { kind: 'unknown', missing: [] };
  const error: Evaluation = { kind: 'error', message: '' };
  assert.equal(allHold([]), true);
  assert.equal(allHold([value(true), value(true)]), true);
  assert.equal(allHold([unknown, value(false)]), false);
  assert.equal(allHold([value(true), unknown]), 'unknown');
  assert.equal(allHold([value(true), error]), 'unknown');
  assert.equal(allHold([value(1)]), 'unknown');
});

test('what does not fit, or could cost without bound, is refused with its place', () => {
  const refused: Record<string, readonly [RegExp, number]> = {
    'lux < 50': [/unknown name lux/, 0],
    'thing("h")': [/without a property/, 0],
    'true && thing(weekday).x': [/without a text in quotes/, 8],
    'trigger.id.matches("(a+)+b")': [/regular expressions/, 0],
    'thing("h").list.all(i, [1].all(j, j > i))': [/inside another/, 23],
    'cel.bind(x, 1, x)': [/unknown name cel/, 0],
    'b"abc" == b"abc"': [/bytes/, 0],
    '"a".split("")': [/calls \.split\(\)/, 0],
    '1 +': [/does not read as CEL/, 3],
    'thing("h").lux == "dark"': [/no number == text/, 0],
    'thing("h").on + 1': [/true\/false \+ number/, 0],
    [`${'('.repeat(40)}1${')'.repeat(40)}`]: [/CEL/, 24],
    [`${'1 + '.repeat(400)}1`]: [/CEL/, 0],
    [`"${'x'.repeat(2000)}"`]: [/longer than 2000/, 0],
  };
  for (const [text, [message, at]] of Object.entries(refused))
    assert.throws(
      () => compileExpression(text, types),
      (error: { code: string; message: string; details: { at: number } }) => {
        assert.equal(error.code, 'rule-invalid', text);
        assert.match(error.message, message, text);
        if (at > 0 && at !== 24) assert.equal(error.details.at, at, text);
        return true;
      },
    );
});

test('errors of evaluation are errors, not values', () => {
  for (const text of ['1 / 0', 'trigger.nothing', 'thing("h").word + 1', 'thing("h").list[7]'])
    assert.equal(evaluate(text).kind, 'error', text);
  const huge = compileExpression('thing("h").big.size()');
  const outcome = huge.evaluate({ ...inputs, read: () => new Array(6000).fill(1) });
  assert.equal(outcome.kind, 'error', 'a value larger than the bound');
});

test('what an expression needs is told before, each once, and can be renamed in place', () => {
  const text =
    'known(thing("a").p) && thing( "a" )["p"] > 1 && online(\'b\') && value("v") == "thing(\\"a\\").p"';
  assert.deepEqual(compileExpression(text).uses, [
    { kind: 'property', thing: 'a', property: 'p' },
    { kind: 'online', peer: 'b' },
    { kind: 'value', name: 'v' },
  ]);
  assert.equal(
    renameUses(text, ({ use }) =>
      use.kind === 'property' ? 'urn:"1"' : use.kind === 'online' ? 'z6' : undefined,
    ),
    'known(thing("urn:\\"1\\"").p) && thing( "urn:\\"1\\"" )["p"] > 1 && online("z6") && value("v") == "thing(\\"a\\").p"',
  );
});

test('no text breaks the reader: it is read, or refused as invalid', (t) => {
  const parts = fc.constantFrom(
    'thing("a").b',
    '(',
    ')',
    '[',
    ']',
    '1',
    '"',
    "'",
    '&&',
    '!',
    '.',
    'x',
    'known(',
    'size(',
    ' ',
    '{',
    ':',
    '\\',
    'in',
    'ö',
  );
  fc.assert(
    fc.property(
      fc.array(parts, { maxLength: 14 }).map((list) => list.join('')),
      (text) => {
        try {
          readExpression(text);
          compileExpression(text).evaluate(inputs);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'rule-invalid', text);
        }
      },
    ),
    { seed: seedOf(t), numRuns: 1500 },
  );
});
