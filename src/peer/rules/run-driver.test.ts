/**
 * What a run's driver waits for before it commands.
 * Relies on a world in the test's hands, in which nothing takes time.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../core/logger.ts';
import type { Step } from '../../rules/rule.ts';
import { nodeCrypto } from '../../store/node-crypto.ts';
import type { KeptRun } from './kept-run.ts';
import type { RuleWorld } from './rule-world.ts';
import { RunDriver } from './run-driver.ts';

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test('of several Things that fit, the one that is chosen is known to the peer that stands by before it is commanded', async () => {
  const commanded: string[] = [];
  const world = {
    ...{ self: 'me', crypto: nodeCrypto, logger: silentLogger, now: () => 1000, schedule: () => () => {} },
    connector: {
      request: async ({ thing }: { thing: string }) => {
        commanded.push(thing);
        return null;
      },
    },
    things: { find: () => ['urn:far', 'urn:near'].map((thing) => ({ thing, peer: thing })) },
    presence: { rttMs: (peer: string) => (peer === 'urn:near' ? 1 : 9) },
    setValue: async () => {},
  } as unknown as RuleWorld;
  const steps: Step[] = [
    { set: { name: 'begun', value: { literal: true } } },
    { write: { any: { type: 'Light' }, property: 'on', value: { literal: true } } },
  ];
  const firing = 'time/night/0/1000';
  const run: KeptRun = {
    ...{ version: 1, name: 'Night', chain: [], conditions: [], atMs: 1000, isPlaced: true },
    start: { rule: 'night', firing, mode: 'single', clock: 1, trigger: { kind: 'time', id: '0' }, steps },
  };
  const copies: (() => void)[] = [];
  const driver = new RunDriver(
    world,
    {
      save: async () => {},
      prepared: () => new Promise((resolve) => copies.push(resolve)),
      changed: () => {},
      ended: () => {},
    },
    run,
  );
  void driver.begin();
  await settle();
  assert.equal(copies.length, 1, 'the beginning');
  copies[0]!();
  await settle();
  assert.equal(copies.length, 2, 'the choice');
  assert.match(JSON.stringify(driver.run.state), /urn:near.*sent/);
  assert.deepEqual(commanded, []);
  copies[1]!();
  await settle();
  assert.deepEqual(commanded, ['urn:near']);
  assert.equal(driver.run.state?.end?.outcome, 'done');
});
