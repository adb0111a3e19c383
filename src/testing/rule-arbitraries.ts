/**
 * Random rules for laws: every trigger and step, within the bounds of a rule.
 * Relies on fast-check.
 */
import fc from 'fast-check';
import type { Operand, Rule, Step, Trigger } from '../rules/rule.ts';

const peer = 'z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK';
/** Ids of Things, and one that is not resolved yet. */
export const thingIds = ['lamp', 'door', 'heat'].map((name) => `urn:althing:${peer}:${name}`);
const thing = fc.constantFrom(...thingIds, 'name:later');
const name = fc.constantFrom('on', 'level', 'two words', 'ö: #');
const cel = fc.constantFrom(
  `thing("${thingIds[0]}").on`,
  `thing("name:later")["two words"] == "a: #b" && !online("${peer}")`,
  '!known(value("x"))',
  '"quoted" == trigger.id',
);
const plain = fc.oneof(
  fc.boolean(),
  fc.integer(),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom(null, [1, 'a'], { a: { b: 1 } }, { cel: 'x' }, { literal: 1 }, '22:30', 'yes', '1e3', '~'),
);
const operand: fc.Arbitrary<Operand> = fc.oneof(fc.record({ literal: plain }), fc.record({ cel }));
const durationMs = fc.integer({ min: 1, max: 100_000_000 });
const optional = { requiredKeys: [] as [] };
const selection = fc
  .record({ type: name, room: name, capability: name, online: fc.boolean() }, optional)
  .filter(({ type, room, capability }) => (type ?? room ?? capability) !== undefined);
const target = fc.oneof(fc.record({ thing }), fc.record({ every: selection }), fc.record({ any: selection }));
const event = fc.record({ thing, name });

/** Steps nested at most three deep. */
export const stepsArbitrary: fc.Arbitrary<Step[]> = fc.letrec<{ steps: Step[]; step: Step }>((tie) => {
  const common = fc.record(
    {
      deadlineMs: fc.integer({ min: 1, max: 3_600_000 }),
      retry: fc.record({ times: fc.integer({ min: 1, max: 3 }), pauseMs: durationMs }),
      onFailure: fc.oneof({ depthSize: 'small' }, fc.constantFrom('stop', 'continue'), tie('steps')),
    },
    optional,
  );
  const command = fc.oneof(
    fc.tuple(target, name, operand).map(([to, property, value]) => ({ write: { ...to, property, value } })),
    fc.tuple(target, name, operand).map(([to, action, input]) => ({ invoke: { ...to, action, input } })),
    fc.tuple(target, name).map(([to, action]) => ({ invoke: { ...to, action } })),
    fc.record({ scene: name }),
    fc.record({ set: fc.record({ name, value: operand }) }),
  );
  const wait = fc
    .tuple(
      fc.oneof(fc.record({ until: cel }), fc.record({ event })),
      fc.record({ timeoutMs: durationMs }),
      fc.record({ onTimeout: fc.constantFrom('stop', 'continue') }, optional),
    )
    .map((parts) => ({ wait: Object.assign({}, ...parts) }));
  return {
    steps: fc.array(tie('step'), { minLength: 1, maxLength: 4 }),
    step: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      fc.tuple(command, common).map(([step, { retry, ...options }]) => ({
        ...step,
        ...options,
        ...(retry && !('set' in step) && { retry }),
      })),
      fc.record({ delay: durationMs }),
      wait,
      fc.record({ stop: fc.constantFrom('enough', 'no: more') }),
      fc.record(
        {
          choose: fc.array(fc.record({ if: cel, steps: tie('steps') }), { minLength: 1, maxLength: 3 }),
          else: tie('steps'),
        },
        { requiredKeys: ['choose'] },
      ),
      fc.record({
        repeat: fc.record(
          { times: fc.integer({ min: 1, max: 3 }), while: cel, steps: tie('steps') },
          { requiredKeys: ['times', 'steps'] },
        ),
      }),
      fc.record({ parallel: fc.array(tie('steps'), { minLength: 1, maxLength: 3 }) }),
    ) as unknown as fc.Arbitrary<Step>,
  };
}).steps;

const coming = { goes: fc.constantFrom('online', 'offline') };
const held = fc.record({ forMs: durationMs }, optional);
const triggerArbitrary = fc
  .tuple(
    fc.oneof(
      fc
        .tuple(
          fc.record({ thing, name }),
          fc.oneof(
            fc.record({ changes: fc.constant(true as const) }),
            fc.record({ becomes: plain }),
            fc.record({ above: fc.integer(), hysteresis: fc.nat() }),
            fc.record({ below: fc.integer() }),
          ),
          held,
        )
        .map((parts) => ({ property: Object.assign({}, ...parts) })),
      fc.record({ event }),
      fc.record({
        time: fc.oneof(
          fc.constantFrom({ at: '22:30' }, { at: '07:00:30' }, { cron: '0 7 * * 1-5' }),
          fc.record({
            sun: fc.constantFrom('sunrise', 'sunset'),
            offsetMs: fc.integer({ min: -9e6, max: 9e6 }),
          }),
        ),
      }),
      fc.tuple(fc.record({ name: fc.constantFrom(peer, 'name:phone'), ...coming }), held).map((parts) => ({
        peer: Object.assign({}, ...parts),
      })),
      fc.tuple(fc.record({ name: thing, ...coming }), held).map((parts) => ({
        thing: Object.assign({}, ...parts),
      })),
      fc.constant({ manual: true }),
    ),
    fc.record({ id: fc.constantFrom('a', 'bell-2') }, optional),
  )
  .map(([trigger, id]) => ({ ...trigger, ...id }) as Trigger);

/** Whole rules. */
export const ruleArbitrary: fc.Arbitrary<Rule> = fc.record(
  {
    name: fc.constantFrom('Hall light', 'ö', 'a: b #c', '12'),
    description: fc.constantFrom('what for', 'two\nlines'),
    enabled: fc.boolean(),
    mode: fc.constantFrom('single', 'restart', 'queued', 'parallel'),
    max: fc.integer({ min: 1, max: 100 }),
    maxPerMinute: fc.integer({ min: 1, max: 6000 }),
    staleMs: fc.integer({ min: 0, max: 3_600_000 }),
    triggers: fc.uniqueArray(triggerArbitrary, {
      ...{ minLength: 1, maxLength: 4 },
      selector: (trigger) => trigger.id ?? trigger,
    }),
    conditions: fc.array(cel, { maxLength: 3 }),
    steps: stepsArbitrary,
  },
  { requiredKeys: ['name', 'enabled', 'mode', 'triggers', 'conditions', 'steps'] },
);
