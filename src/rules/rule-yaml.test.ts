/** The promise that rules in YAML read as people mean them, say where they do not, and read back as they were written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { parseAllDocuments } from 'yaml';
import { ruleArbitrary } from '../testing/rule-arbitraries.ts';
import { seedOf } from '../testing/seed.ts';
import { resolveRule } from './resolve.ts';
import { parseRule, parseScene, ruleProblem } from './rule.ts';
import { ruleJsonSchema } from './rule-json-schema.ts';
import { type RuleProblem, readRules, writeRule } from './rule-yaml.ts';

const schema = new Ajv2020({ strict: false }).compile(ruleJsonSchema());

/** A lookup that knows ids only, and so leaves names unresolved. */
const nothing = {
  thing: (name: string) =>
    name.startsWith('urn:') ? ({ kind: 'found', id: name } as const) : ({ kind: 'unknown' } as const),
  peer: (name: string) =>
    name.startsWith('z6Mk') ? ({ kind: 'found', id: name } as const) : ({ kind: 'unknown' } as const),
  td: () => undefined,
};

const problemsOf = (text: string): readonly RuleProblem[] => {
  try {
    readRules(text);
  } catch (error) {
    return (error as { details: { problems: RuleProblem[] } }).details.problems;
  }
  return [];
};

test('the rule of the design page reads as it should', () => {
  const [draft] = readRules(`
name: Hall light on motion
mode: restart
triggers:
  - property: { thing: hall-motion, name: motion, becomes: true }
  - property: { thing: hall-lux, name: illuminance, below: 30, for: 2m }
  - event: { thing: front-door, name: bell }
  - time: { at: "22:30" }
  - time: { sun: sunset, offset: -15m }
  - peer: { name: phone, goes: online }
conditions:
  - thing("hall-lux").illuminance < 50
steps:
  - write: { thing: hall-lamp, property: on, value: true }
  - delay: 5m
  - invoke: { thing: hall-lamp, action: fade, input: { to: 0 } }
`);
  assert.deepEqual(draft!.rule, {
    name: 'Hall light on motion',
    enabled: true,
    mode: 'restart',
    triggers: [
      { property: { thing: 'hall-motion', name: 'motion', becomes: true } },
      { property: { thing: 'hall-lux', name: 'illuminance', below: 30, forMs: 120_000 } },
      { event: { thing: 'front-door', name: 'bell' } },
      { time: { at: '22:30' } },
      { time: { sun: 'sunset', offsetMs: -900_000 } },
      { peer: { name: 'phone', goes: 'online' } },
    ],
    conditions: ['thing("hall-lux").illuminance < 50'],
    steps: [
      { write: { thing: 'hall-lamp', property: 'on', value: { literal: true } } },
      { delay: 300_000 },
      { invoke: { thing: 'hall-lamp', action: 'fade', input: { literal: { to: 0 } } } },
    ],
  });
  assert.deepEqual(draft!.locate(['steps', 1]), { line: 15, column: 5 });
});

const body = (condition: string, steps = '  - delay: 5m'): string =>
  `name: x\ntriggers:\n  - manual: true\nconditions:\n  - ${condition}\nsteps:\n${steps}\n`;

const mistakes: readonly (readonly [string, string, number, number, RegExp])[] = [
  ['a condition that YAML made true', body('true'), 5, 5, /YAML read true: quote it/],
  [
    'a condition that YAML made an object',
    body('thing("a").b == "x: y"'),
    5,
    5,
    /YAML read an object: quote it/,
  ],
  ['a condition that YAML made a tag', body('!known(value("x"))'), 5, 5, /quote it/],
  ['a condition that begins with a quote', body('"a" == trigger.id'), 5, 9, /quote it/],
  ['a condition that YAML cut at a comment', body('thing("a").b == "a #b"'), 5, 21, /must be quoted/],
  ['a name without quotes', body('thing("a").b && lux < 3'), 5, 21, /unknown name lux/],
  ['a number without its unit', body('1 == 1', '  - delay: 5'), 7, 12, /duration such as 90s/],
  ['a misspelt word', body('1 == 1', '  - wriet: { thing: a }'), 7, 5, /"wriet" is not known here/],
  [
    'two things to do in one step',
    body('1 == 1', '  - delay: 5m\n    stop: x'),
    7,
    5,
    /exactly one of .*, not delay and stop/,
  ],
  [
    'a step that lacks its value',
    body('1 == 1', '  - write: { thing: a, property: on }'),
    7,
    12,
    /lacks "value"/,
  ],
  [
    'a retry where nothing is commanded',
    body('1 == 1', '  - delay: 5m\n    retry: { times: 1, pause: 1s }'),
    8,
    5,
    /goes only with/,
  ],
  [
    'a retry of what cannot fail for a while',
    body('1 == 1', '  - set: { name: a, value: 1 }\n    retry: { times: 1, pause: 1s }'),
    8,
    5,
    /goes only with/,
  ],
  [
    'a selection of everything',
    body('1 == 1', '  - write: { every: {}, property: on, value: 1 }'),
    7,
    21,
    /at least one of/,
  ],
  [
    'a pattern that is none',
    'name: x\ntriggers:\n  - time: { cron: "0 7 * *" }\nsteps:\n  - delay: 1s\n',
    3,
    19,
    /no cron pattern/,
  ],
  [
    'an hour that is none',
    'name: x\ntriggers:\n  - time: { at: 25:00 }\nsteps:\n  - delay: 1s\n',
    3,
    17,
    /time of day such as/,
  ],
  [
    'two triggers with one id',
    'name: x\ntriggers:\n  - { manual: true, id: a }\n  - { manual: true, id: a }\nsteps:\n  - delay: 1s\n',
    4,
    25,
    /another trigger has the id "a"/,
  ],
  ['a name twice', 'name: x\nname: y\n', 2, 1, /unique/],
  [
    'an alias',
    'name: &n x\ndescription: *n\ntriggers:\n  - manual: true\nsteps:\n  - delay: 1s\n',
    1,
    1,
    /aliases/,
  ],
  ['an error in the second rule', `${body('1 == 1')}---\nname: 5\n`, 9, 7, /must be a text, not 5: quote it/],
  ['nothing', '', 1, 1, /there is no rule/],
];
for (const [what, text, line, column, message] of mistakes)
  test(`a mistake is told with its place: ${what}`, () => {
    const problems = problemsOf(text);
    assert.ok(
      problems.some(
        (problem) => problem.line === line && problem.column === column && message.test(problem.message),
      ),
      JSON.stringify(problems),
    );
  });

test('a rule written as YAML reads back as the same record, and fits the schema for editors', (t) => {
  fc.assert(
    fc.property(ruleArbitrary, (rule) => {
      fc.pre(ruleProblem(rule) === undefined);
      const text = writeRule(rule);
      const drafts = readRules(text);
      assert.equal(drafts.length, 1);
      assert.deepEqual(resolveRule(drafts[0]!, nothing).rule, JSON.parse(JSON.stringify(rule)), text);
      const plain = (parseAllDocuments(text)[0] as { toJS(): unknown }).toJS();
      assert.ok(schema(plain), JSON.stringify(schema.errors));
    }),
    { seed: seedOf(t), numRuns: process.env.ALTHING_TEST_LONG ? 2000 : 60 },
  );
});

test('no text breaks the reader', (t) => {
  const parts = fc.constantFrom(
    'name: x\n',
    'triggers:\n',
    '  - ',
    'manual: true',
    '\n',
    '- ',
    '{',
    '}',
    '[',
    '&a ',
    '*a',
    '!x ',
    '"',
    ': ',
    'steps:\n',
    'delay: 1s',
    '? ',
    '|\n',
    '---\n',
    '%',
  );
  fc.assert(
    fc.property(
      fc.array(parts, { maxLength: 20 }).map((list) => list.join('')),
      (text) => {
        for (const problem of problemsOf(text)) assert.ok(problem.line >= 1 && problem.column >= 1);
      },
    ),
    { seed: seedOf(t), numRuns: process.env.ALTHING_TEST_LONG ? 500 : 150 },
  );
});

test('a record from elsewhere is checked: bounds, depth, ids', () => {
  const rule = {
    name: 'x',
    enabled: true,
    mode: 'single',
    triggers: [{ manual: true }],
    conditions: [],
    steps: [{ delay: 1 }],
  };
  assert.ok(parseRule(rule));
  let deep: unknown = [{ delay: 1 }];
  for (let level = 0; level < 60; level++) deep = [{ repeat: { times: 1, steps: deep } }];
  const bad: Record<string, unknown> = {
    'a name for an id': { ...rule, triggers: [{ event: { thing: 'lamp', name: 'x' } }] },
    'too deep': { ...rule, steps: deep },
    'too many steps': {
      ...rule,
      steps: Array.from({ length: 15 }, () => ({ parallel: Array(16).fill([{ delay: 1 }]) })),
    },
    'too large': {
      ...rule,
      conditions: Array(16).fill('x'.repeat(2000)),
      triggers: [{ property: { thing: 'urn:x', name: 'p', becomes: 'x'.repeat(30_000) } }],
    },
    'an unknown field': { ...rule, code: 'x' },
    'no plain data': { ...rule, steps: [{ set: { name: 'x', value: { literal: () => 1 } } }] },
    nothing: undefined,
  };
  for (const [what, value] of Object.entries(bad)) assert.equal(parseRule(value), undefined, what);
  assert.ok(parseScene({ name: 'x', values: [{ thing: 'urn:x', property: 'on', value: true }] }));
  assert.equal(
    parseScene({ name: 'x', values: [{ thing: 'lamp', property: 'on', value: true }] }),
    undefined,
  );
});
