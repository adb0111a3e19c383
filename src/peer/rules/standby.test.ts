/** The promise that a run has a second, and that one alone says how it ended, whoever of the two is lost, and when. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuleLab } from '../../testing/rule-lab.ts';
import type { LabPeer } from '../../testing/rule-lab-peer.ts';

const minute = 60_000;

/** Three peers that host what a rule of half past eight commands, one step each; the first to act can be held up. */
const home = async () => {
  const lab = new RuleLab();
  lab.clock.set(Date.UTC(2027, 0, 15, 8, 29));
  const peers = [await lab.start('a'), await lab.start('b'), await lab.start('c')];
  const lamps = peers.map((peer) => peer.expose('lamp', { on: 0 }));
  lab.rule('morning', {
    triggers: [{ time: { at: '08:30' } }],
    steps: lamps.map(({ id }, index) => ({
      write: { thing: id, property: 'on', value: { literal: index } },
      deadlineMs: 30_000,
      onFailure: 'continue',
    })),
  });
  const runnerOf = (): LabPeer => peers.find((peer) => peer.executions().length > 0)!;
  const others = (...not: LabPeer[]): LabPeer[] => peers.filter((peer) => !not.includes(peer));
  return { lab, lamps, peers, runnerOf, others };
};

/** How executions ended, by peer. */
const endsOf = (peers: readonly LabPeer[]): string[] =>
  peers.flatMap((peer) => peer.outcomes('morning')).sort();

/** The runner comes back, at first only to the one that went on: so it hears of that before it would go on itself. */
const comesBack = async (lab: RuleLab, peers: readonly LabPeer[], runner: LabPeer): Promise<void> => {
  const idle = peers.filter((peer) => peer !== runner && peer.executions().length === 0);
  for (const peer of idle) lab.link(runner, peer, false);
  runner.start();
  await lab.pass(minute);
  for (const peer of idle) lab.link(runner, peer, true);
  await lab.pass(minute);
};

test('a runner that is lost while its first command is on its way lets the one that stood by go on', async () => {
  const { lab, lamps, peers, runnerOf } = await home();
  const [first] = lamps;
  let act = (): void => {};
  first!.acting = () => new Promise((resolve) => (act = resolve));
  await lab.pass(minute);
  const runner = runnerOf();
  runner.crash();
  await lab.pass(minute / 2);
  act();
  await lab.pass(minute);
  await comesBack(lab, peers, runner);
  assert.deepEqual(endsOf(peers), ['cancelled', 'done']);
  await lab.close();
});

test('whoever stands by for one that stood by and was lost is known after a restart, too', async () => {
  const { lab, lamps, peers, runnerOf, others } = await home();
  const waiting: (() => void)[] = [];
  for (const lamp of lamps) lamp.acting = () => new Promise((resolve) => waiting.push(resolve));
  await lab.pass(minute);
  const runner = runnerOf();
  const [one, other] = others(runner) as [LabPeer, LabPeer];
  // Whichever of the two it is: what is lost and comes back stands by no longer.
  for (const peer of [one, other]) {
    peer.crash();
    await lab.pass(1000);
    peer.start();
    await lab.pass(1000);
  }
  runner.crash();
  await lab.pass(5000);
  for (const lamp of lamps) lamp.acting = async () => {};
  for (const act of waiting) act();
  await lab.pass(2 * minute);
  await comesBack(lab, peers, runner);
  assert.deepEqual(endsOf(peers), ['cancelled', 'done']);
  await lab.close();
});
