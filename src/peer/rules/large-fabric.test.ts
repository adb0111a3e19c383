/**
 * The promise that rules reach their targets in a fabric in which not everybody keeps a session with everybody.
 * Relies on supervisors over channels in memory, 40 of them; the devices answer whatever they are asked.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { thingIdOf } from '../../core/ids.ts';
import { silentLogger } from '../../core/logger.ts';
import { Neighbourhood } from '../../net/neighbours.ts';
import { nodeCrypto } from '../../store/node-crypto.ts';
import { randomFrom, seedOf } from '../../testing/seed.ts';
import { SupervisorNet } from '../../testing/supervisor-net.ts';
import { waitFor } from '../../testing/wait-for.ts';
import { Routing } from '../routing.ts';
import type { KeptRun } from './kept-run.ts';
import { askDesk, RuleDesk } from './rule-desk.ts';
import type { RuleWorld } from './rule-world.ts';
import { carryOut } from './run-effects.ts';

test('a runner makes the session that a step needs where it keeps none, for commands, questions and standing by', async (t) => {
  const net = new SupervisorNet(40, randomFrom(seedOf(t)));
  t.after(() => net.close());
  net.start();
  const runner = net.peers[0]!;
  const neighbours = new Neighbourhood(net.peers.map(({ id }) => id)).of(runner.id);
  const [target, other] = net.peers.filter(({ id }) => id !== runner.id && !neighbours.has(id));
  const { supervisor } = runner;
  await waitFor(() => supervisor.sessions().length > 0, { what: 'a neighbour' });
  const way = {
    session: (peer: string) => supervisor.session(peer),
    reach: (peer: string, how: { timeoutMs: number }) => supervisor.reach(peer, how),
  };
  const routing = new Routing({
    ...{ ...way, self: runner.id, exposed: () => undefined, known: () => true },
    ...{ speakerOf: (peer) => peer, activity: () => undefined },
    steps: () => assert.fail('no Thing is here'),
    newCause: () => assert.fail('a rule says why'),
  });
  t.after(() => routing.close());
  const thing = thingIdOf(target!.id, 'lamp');
  const world = {
    ...{ self: runner.id, crypto: nodeCrypto, logger: silentLogger, connector: routing },
  } as unknown as RuleWorld;
  const firing = 'time/night/0/1000';
  const run: KeptRun = {
    ...{ version: 1, name: 'Night', chain: [], conditions: [], atMs: 1000, isPlaced: true },
    start: { rule: 'night', firing, mode: 'single', clock: 1, trigger: { kind: 'time', id: '0' }, steps: [] },
  };
  assert.equal(supervisor.session(target!.id), undefined);
  const answer = await carryOut(world, run, {
    ...{ type: 'command', path: '0', deadlineMs: 5000 },
    command: { thing, op: 'writeproperty', name: 'on', input: true },
  });
  assert.deepEqual(answer, { type: 'outcome', path: '0', outcome: { kind: 'done' } });
  assert.ok(supervisor.session(target!.id));

  assert.equal(supervisor.session(other!.id), undefined);
  const own = new RuleDesk({
    ...{ roleOf: () => 'member', executions: () => [], obeyed: () => [], now: () => 0 },
    ask: () => assert.fail('another peer is asked'),
  });
  const asked = askDesk({ ...way, self: runner.id, own }, other!.id, {
    ...{ name: 'over', input: { firing }, timeoutMs: 5000 },
  });
  assert.deepEqual(await asked, [other!.id, { firing }]);
});
