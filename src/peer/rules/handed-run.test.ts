/** The promise that no member has another do what no rule says by handing it a run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rule } from '../../rules/rule.ts';
import { startRun } from '../../rules/run.ts';
import type { RunStart, RunState } from '../../rules/run-state.ts';
import { isOfRule } from './handed-run.ts';
import { type KeptRun, parseKeptRun } from './kept-run.ts';

const lamp = 'urn:x:lamp';
const rule: Rule = {
  name: 'Night',
  enabled: true,
  mode: 'single',
  triggers: [{ time: { at: '22:00' } }],
  conditions: [],
  steps: [
    { write: { thing: lamp, property: 'on', value: { literal: false } } },
    { invoke: { every: { type: 'Blind' }, action: 'close' } },
    { scene: 'night' },
  ],
};
const firing = 'time/night/0/1000';
const start: RunStart = {
  ...{ rule: 'night', firing, mode: 'single', clock: 1 },
  trigger: { kind: 'time', id: '0' },
  steps: rule.steps,
};
const run = (parts: Partial<KeptRun> = {}): KeptRun => ({
  ...{ version: 1, name: 'Night', chain: [], conditions: [], atMs: 1000, isPlaced: true },
  start,
  state: startRun(start, 1000).state,
  ...parts,
});
const scene = (key: string) =>
  key === 'night' ? { name: 'Night', values: [{ thing: lamp, property: 'level', value: 5 }] } : undefined;
const isTaken = (handed: unknown, as: Rule = rule): boolean => {
  const parsed = parseKeptRun(JSON.parse(JSON.stringify(handed)));
  return parsed !== undefined && isOfRule(parsed, as, scene);
};

/** The run with this command in place of its first one. */
const commanding = (command: object): KeptRun => {
  const state = JSON.parse(JSON.stringify(run().state)) as RunState;
  (state.list.step as unknown as { commands: { command: unknown }[] }).commands[0]!.command = command;
  return run({ state });
};

test('a run of the rule as it is here is taken, also with commands of its selections and scenes', () => {
  assert.ok(isTaken(run()));
  assert.ok(isTaken(commanding({ thing: 'urn:x:blind', op: 'invokeaction', name: 'close' })));
  assert.ok(isTaken(commanding({ thing: lamp, op: 'writeproperty', name: 'level', input: 5 })));
});

test('commands that the rule does not give are not taken', () => {
  for (const command of [
    { thing: lamp, op: 'writeproperty', name: 'on', input: true },
    { thing: 'urn:x:lock', op: 'writeproperty', name: 'on', input: false },
    { thing: lamp, op: 'writeproperty', name: 'level', input: 6 },
    { thing: lamp, op: 'invokeaction', name: 'on', input: false },
    { thing: 'urn:x:blind', op: 'invokeaction', name: 'open' },
    { thing: 'urn:x:blind', op: 'invokeaction', name: 'close', input: 1 },
  ])
    assert.ok(!isTaken(commanding(command)), JSON.stringify(command));
});

test('runs of another rule, of other steps, or that no other peer could run are not taken', () => {
  assert.ok(!isTaken(run(), { ...rule, enabled: false }));
  assert.ok(!isTaken(run(), { ...rule, steps: rule.steps.slice(1) }));
  assert.ok(!isTaken(run(), { ...rule, mode: 'restart' }));
  assert.ok(!isTaken(run({ isPlaced: false })));
  assert.ok(!isTaken(run({ start: { ...start, firing: 'time/other/0/1000' } })));
  assert.ok(!isTaken(run({ start: { ...start, clock: 2 } })));
  for (const wrong of [null, 5, [], {}, { ...run(), version: 2 }, { ...run(), start: null }])
    assert.ok(!isTaken(wrong));
});
