import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerIdOf, thingIdOf } from '../core/ids.ts';
import type { ThingCall } from '../thing/operations.ts';
import type { Cause } from '../thing/scripting-api.ts';
import type { Rule, Scene, Step, Trigger } from './rule.ts';
import { type RuleFacts, ruleAllows } from './rule-access.ts';

const [bulb, door, other, successor] = [1, 2, 3, 4].map((byte) =>
  peerIdOf(new Uint8Array(32).fill(byte)),
) as [string, string, string, string];
const motion = thingIdOf(bulb, 'motion');
const lock = thingIdOf(door, 'lock');
const garage = thingIdOf(door, 'garage');

const onMotion: Trigger = { event: { thing: motion, name: 'motion' } };
const shut: Step = { write: { thing: lock, property: 'locked', value: { literal: true } } };
const ruleOf = (steps: Step[], parts: Partial<Rule> = {}): Rule => ({
  ...{ name: 'Hall', enabled: true, mode: 'single', triggers: [onMotion], conditions: [], steps },
  ...parts,
});
const scene: Scene = { name: 'Night', values: [{ thing: lock, property: 'locked', value: true }] };

/** Asks for a call as the bulb would, under the rule `hall`, unless it is said otherwise. */
const allows = (
  rule: Rule | undefined,
  call: Partial<ThingCall> = {},
  {
    peer = bulb,
    cause,
    hasVariables = false,
    thing = lock,
    facts = {},
    mayUse,
  }: {
    peer?: string;
    cause?: Partial<Cause>;
    hasVariables?: boolean;
    thing?: string;
    facts?: Partial<RuleFacts>;
    mayUse?: (thing: { id: string }, call: ThingCall) => boolean;
  } = {},
): boolean =>
  ruleAllows(
    {
      rule: (key) => (key === 'hall' && rule ? { rule, ...(mayUse && { mayUse }) } : undefined),
      scene: (name) => (name === 'Night' ? scene : undefined),
      uses: () => [{ kind: 'property', thing: lock, property: 'locked' }],
      speakerOf: (owner) => owner,
      listed: () => ({ room: 'hall', affordances: new Set(['locked', 'open']) }),
      ...facts,
    },
    {
      ...{ peer, hasVariables },
      thing: { id: thing, types: ['Lock'] },
      call: { thing, op: 'writeproperty', name: 'locked', input: true, ...call },
      cause: {
        ...{ id: 'c', origin: 'rule', peer },
        ...(cause ?? { step: { rule: 'hall', firing: 'f', step: '0', mode: 'single', clock: 7 } }),
      },
    },
  );

test('the host of a trigger may do exactly what the steps say', () => {
  assert.ok(allows(ruleOf([shut])));
  const refused: [string, Partial<ThingCall>, string?][] = [
    ['another value', { input: false }],
    ['no value', { input: undefined }],
    ['a value that only looks alike', { input: 'true' }],
    ['another property', { name: 'pin' }],
    ['another operation', { op: 'invokeaction' }],
    ['several at once', { op: 'writemultipleproperties', input: { locked: true } }],
    ['another Thing of the same device', {}, garage],
  ];
  for (const [what, call, thing = lock] of refused)
    assert.equal(allows(ruleOf([shut]), call, { thing }), false, what);
  assert.equal(
    allows(ruleOf([shut]), {}, { hasVariables: true }),
    false,
    'with variables it means something else',
  );
});

test('a rule that is disabled, or that is none, allows nothing', () => {
  assert.equal(allows(ruleOf([shut], { enabled: false })), false);
  assert.equal(allows(undefined), false, 'removed, or written by one who is no admin');
});

test('a call must name the rule, and a command must be a step of it', () => {
  const chain = [{ rule: 'hall', firing: 'f', peer: bulb, atMs: 1 }];
  const step = { rule: 'other', firing: 'f', step: '0', mode: 'single' as const, clock: 7 };
  assert.equal(allows(ruleOf([shut]), {}, { cause: {} }), false);
  assert.equal(allows(ruleOf([shut]), {}, { cause: { chain } }), false, 'it could be sent for ever');
  assert.equal(allows(ruleOf([shut]), {}, { cause: { chain, step } }), false);
});

test('peers that have nothing to do with the rule may not use it', () => {
  assert.equal(allows(ruleOf([shut]), {}, { peer: other }), false);
  assert.equal(allows(ruleOf([shut]), {}, { peer: door }), false, 'the host of a target, who never runs it');
  const facts = { speakerOf: (owner: string) => (owner === bulb ? successor : owner) };
  assert.ok(allows(ruleOf([shut]), {}, { peer: successor, facts }), 'who took the place of the host');
  assert.equal(allows(ruleOf([shut]), {}, { facts }), false, 'and the one whose place was taken');
  for (const trigger of [
    { time: { at: '22:00' } },
    { manual: true },
    { peer: { name: bulb, goes: 'online' } },
  ] as Trigger[])
    assert.ok(
      allows(ruleOf([shut], { triggers: [onMotion, trigger] }), {}, { peer: other }),
      JSON.stringify(trigger),
    );
});

test('a member’s rule allows what its steps say as far as its author may', () => {
  const asked: [string, string | undefined][] = [];
  const mayUse = (thing: { id: string }, { op, name }: ThingCall): boolean => {
    asked.push([thing.id, `${op} ${name}`]);
    return name !== 'pin';
  };
  assert.ok(allows(ruleOf([shut]), {}, { mayUse }));
  assert.deepEqual(asked, [[lock, 'writeproperty locked']]);
  const pin: Step = { write: { thing: lock, property: 'pin', value: { literal: 1 } } };
  assert.ok(allows(ruleOf([pin]), { name: 'pin', input: 1 }));
  assert.equal(allows(ruleOf([pin]), { name: 'pin', input: 1 }, { mayUse }), false);
});

test('a computed value may be any, an action without input takes none', () => {
  const computed: Step = { write: { thing: lock, property: 'locked', value: { cel: 'hour > 22.0' } } };
  assert.ok(allows(ruleOf([computed]), { input: false }));
  const open: Step = { invoke: { thing: lock, action: 'open' } };
  const invoke = { op: 'invokeaction', name: 'open' } as const;
  assert.ok(allows(ruleOf([open]), { ...invoke, input: undefined }));
  assert.equal(allows(ruleOf([open]), { ...invoke, input: { forMs: 1e9 } }), false);
  assert.equal(allows(ruleOf([open]), { ...invoke, op: 'cancelaction' }), false);
});

test('steps inside others count, and so do selections and scenes', () => {
  const nested: Step = { choose: [{ if: 'true', steps: [{ parallel: [[shut]] }] }] };
  assert.ok(allows(ruleOf([nested])));
  assert.ok(allows(ruleOf([{ delay: 1 }, { ...shut, onFailure: [shut] }])));
  const select = (every: object): Rule =>
    ruleOf([{ write: { every, property: 'locked', value: { literal: true } } } as Step]);
  assert.ok(allows(select({ type: 'Lock', room: 'hall', capability: 'open' })));
  assert.equal(allows(select({ type: 'Lamp' })), false);
  assert.equal(allows(select({ type: 'Lock', room: 'attic' })), false);
  assert.equal(allows(select({ capability: 'dim' })), false);
  assert.equal(allows(select({ room: 'hall' }), {}, { facts: { listed: () => undefined } }), false);
  assert.ok(allows(ruleOf([{ scene: 'Night' }])));
  assert.equal(allows(ruleOf([{ scene: 'Night' }]), { input: false }), false);
  assert.equal(allows(ruleOf([{ scene: 'Day' }])), false);
});

test('what its expressions use may be read and followed, what it waits for heard, and nothing else', () => {
  const chain = [{ rule: 'hall', firing: 'f', peer: bulb, atMs: 1 }];
  const cause = { chain };
  const rule = ruleOf([{ wait: { event: { thing: lock, name: 'opened' }, timeoutMs: 1000 } }]);
  assert.ok(allows(rule, { op: 'readproperty' }, { cause }));
  assert.ok(allows(rule, { op: 'observeproperty' }, { cause }));
  assert.ok(allows(rule, { op: 'subscribeevent', name: 'opened' }, { cause }));
  assert.equal(allows(rule, { op: 'subscribeevent', name: 'alarm' }, { cause }), false);
  assert.equal(allows(rule, { op: 'readproperty', name: 'pin' }, { cause }), false);
  assert.equal(allows(rule, { op: 'readallproperties' }, { cause }), false);
  assert.equal(allows(rule, { op: 'readproperty' }, { cause, thing: garage }), false);
  assert.equal(
    allows(rule, { op: 'readproperty' }, { cause: { chain: [...chain, { ...chain[0]!, rule: 'x' }] } }),
    false,
    'the last link counts',
  );
});
