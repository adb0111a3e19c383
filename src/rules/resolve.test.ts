/** The promise that a rule is checked against what there is when it is applied, and stores ids. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ThingDescription } from '../thing/thing-description.ts';
import { type Found, type RuleLookup, resolveAgain, resolveRule, scenesOf, unresolvedOf } from './resolve.ts';
import { type RuleProblem, readRules } from './rule-yaml.ts';

const peer = 'z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK';
const id = (name: string): string => `urn:althing:${peer}:${name}`;
const td = (name: string, affordances: object): ThingDescription =>
  ({
    '@context': 'x',
    id: id(name),
    title: name,
    security: 'nosec',
    securityDefinitions: {},
    ...affordances,
  }) as never;

const tds = [
  td('lamp', {
    properties: {
      on: { type: 'boolean' },
      level: { type: 'integer', minimum: 0, maximum: 100 },
      scene: { type: 'string', enum: ['day', 'night'] },
      pin: { type: 'string', writeOnly: true },
      hours: { type: 'number', readOnly: true },
    },
    actions: {
      fade: { input: { type: 'object', properties: { to: { type: 'number' } }, required: ['to'] } },
    },
  }),
  td('door', { events: { bell: {} } }),
];
const lookup = (more: readonly ThingDescription[] = []): RuleLookup => ({
  thing: (name): Found => {
    if (name === 'window') return { kind: 'ambiguous', candidates: ['kitchen/window', 'hall/window'] };
    const found = [...tds, ...more].find((one) => one.title === name || one.id === name);
    return found ? { kind: 'found', id: found.id } : { kind: 'unknown' };
  },
  peer: (name) => (name === 'phone' || name === peer ? { kind: 'found', id: peer } : { kind: 'unknown' }),
  td: (wanted) => [...tds, ...more].find((one) => one.id === wanted),
});

const rule = (triggers: string, condition: string, steps: string) =>
  readRules(
    `name: x\ntriggers:\n  - ${triggers}\nconditions:\n  - '${condition}'\nsteps:\n  - ${steps}\n`,
  )[0]!;

test('names become ids, in expressions too', () => {
  const draft = rule(
    'event: { thing: door, name: bell }',
    'thing("lamp").level < 5 && online("phone")',
    'write: { thing: lamp, property: on, value: { cel: thing("lamp").level > 3 } }',
  );
  assert.deepEqual(resolveRule(draft, lookup()), {
    rule: {
      name: 'x',
      enabled: true,
      mode: 'single',
      triggers: [{ event: { thing: id('door'), name: 'bell' } }],
      conditions: [`thing("${id('lamp')}").level < 5 && online("${peer}")`],
      steps: [
        { write: { thing: id('lamp'), property: 'on', value: { cel: `thing("${id('lamp')}").level > 3` } } },
      ],
    },
    warnings: [],
  });
});

const manual = 'manual: true';
const mistakes: readonly (readonly [string, readonly [string, string, string], number, RegExp])[] = [
  [
    'an ambiguous name',
    ['event: { thing: window, name: x }', 'true', 'delay: 1s'],
    3,
    /kitchen\/window or hall\/window/,
  ],
  [
    'an event that the Thing has not',
    ['event: { thing: door, name: ring }', 'true', 'delay: 1s'],
    3,
    /has no event "ring": it has bell/,
  ],
  ['a property that the Thing has not', [manual, 'thing("lamp").of', 'delay: 1s'], 5, /has no property "of"/],
  [
    'a property that cannot be read',
    [manual, 'thing("lamp").pin == "1"', 'delay: 1s'],
    5,
    /can only be written/,
  ],
  [
    'a property that cannot be written',
    [manual, 'true', 'write: { thing: lamp, property: hours, value: 1 }'],
    7,
    /can only be read/,
  ],
  [
    'a value of a wrong type',
    [manual, 'true', 'write: { thing: lamp, property: on, value: 1 }'],
    7,
    /must be true or false, not 1/,
  ],
  [
    'a value out of bounds',
    [manual, 'true', 'write: { thing: lamp, property: level, value: 101 }'],
    7,
    /at most 100/,
  ],
  [
    'a value that is not offered',
    [manual, 'true', 'write: { thing: lamp, property: scene, value: dusk }'],
    7,
    /one of "day", "night"/,
  ],
  [
    'an expression of a wrong type',
    [manual, 'true', 'write: { thing: lamp, property: on, value: { cel: thing("lamp").level + 1 } }'],
    7,
    /gives a number, not true or false/,
  ],
  ['a condition that is a number', [manual, 'thing("lamp").level', 'delay: 1s'], 5, /must be true or false/],
  ['types that do not meet', [manual, 'thing("lamp").level == "5"', 'delay: 1s'], 5, /number == text/],
  [
    'an input that lacks something',
    [manual, 'true', 'invoke: { thing: lamp, action: fade, input: { by: 1 } }'],
    7,
    /lacks "to"/,
  ],
  [
    'an action that the Thing has not',
    [manual, 'true', 'invoke: { thing: lamp, action: blink }'],
    7,
    /has no action "blink"/,
  ],
  [
    'a threshold of what is no number',
    ['property: { thing: lamp, name: on, above: 1 }', 'true', 'delay: 1s'],
    3,
    /is no number/,
  ],
  [
    'a value that it cannot become',
    ['property: { thing: lamp, name: scene, becomes: 3 }', 'true', 'delay: 1s'],
    3,
    /must be a text/,
  ],
  [
    'a mistake within other steps',
    [manual, 'true', 'parallel: [[{ write: { thing: lamp, property: on, value: 1 } }]]'],
    7,
    /must be true or false/,
  ],
];
for (const [what, parts, line, message] of mistakes)
  test(`an error with its line: ${what}`, () => {
    assert.throws(
      () => resolveRule(rule(...parts), lookup()),
      (error: { code: string; details: { problems: RuleProblem[] } }) => {
        assert.equal(error.code, 'rule-invalid');
        const [first] = error.details.problems;
        assert.equal(first!.line, line);
        assert.match(first!.message, message);
        assert.equal(error.details.problems.length, 1, JSON.stringify(error.details.problems));
        return true;
      },
    );
  });

test('a Thing that is not known yet is a warning, keeps its name, and is resolved when it has come', () => {
  const draft = rule(
    'event: { thing: gate, name: bell }',
    'thing("gate").open && online("tablet")',
    'write: { thing: gate, property: open, value: true }',
  );
  const { rule: kept, warnings } = resolveRule(draft, lookup());
  assert.deepEqual(kept.triggers, [{ event: { thing: 'name:gate', name: 'bell' } }]);
  assert.deepEqual(kept.conditions, ['thing("name:gate").open && online("name:tablet")']);
  assert.deepEqual(
    warnings.map(({ line }) => line),
    [3, 5, 5, 7],
  );
  assert.deepEqual(unresolvedOf(kept), ['gate', 'tablet']);
  assert.equal(resolveAgain(kept, lookup()), undefined, 'nothing came');
  const gate = td('gate', { events: { bell: {} }, properties: { open: { type: 'boolean' } } });
  const later = resolveAgain(kept, lookup([gate]))!;
  assert.deepEqual(unresolvedOf(later.rule), ['tablet']);
  assert.deepEqual(later.rule.conditions, [`thing("${id('gate')}").open && online("name:tablet")`]);
  const wrong = td('gate', { events: { bell: {} }, properties: { open: { type: 'string' } } });
  assert.throws(() => resolveAgain(kept, lookup([wrong])), { code: 'rule-invalid' });
});

test('the scenes of a rule are told, inner steps included', () => {
  const draft = rule(
    manual,
    'true',
    'parallel: [[{ scene: evening }], [{ scene: away }, { scene: evening }]]',
  );
  assert.deepEqual(scenesOf(resolveRule(draft, lookup()).rule), ['evening', 'away']);
});
