/** The promise that whatever stops and whatever breaks, no device does a step twice and every firing comes to an end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Step } from '../../rules/rule.ts';
import { RuleLab } from '../../testing/rule-lab.ts';
import { randomFrom, seedOf } from '../../testing/seed.ts';

const write = (thing: string, value: number): Step => ({
  write: { thing, property: 'x', value: { literal: value } },
  onFailure: 'continue',
});

/** Three peers, a timed rule that any of them may run, a rule that the first one runs; power and network fail. */
const play = async (random: () => number, areLinksCut: boolean) => {
  const lab = new RuleLab();
  const peers = [await lab.start('a'), await lab.start('b'), await lab.start('c')] as const;
  const [one, two, three] = peers.map((peer) => peer.expose('lamp', { x: 0 }).id) as [string, string, string];
  const sensor = peers[0].expose('sensor', {});
  lab.rule('timed', {
    mode: 'parallel',
    triggers: [{ time: { cron: '*/2 * * * *' } }],
    steps: [write(one, 1), { delay: 20_000 }, write(two, 2), { delay: 20_000 }, write(three, 3)],
  });
  lab.rule('rung', {
    mode: 'queued',
    triggers: [{ event: { thing: sensor.id, name: 'bell' } }],
    steps: [write(two, 7), { delay: 5000 }, write(three, 8)],
  });
  const any = () => peers[Math.floor(random() * peers.length)]!;
  for (let turn = 0; turn < 60; turn++) {
    await lab.pass(Math.floor(random() * 15_000));
    const [peer, other, luck] = [any(), any(), random()];
    if (luck < 0.15 && peer.isUp) peer.crash();
    else if (luck < 0.4 && !peer.isUp) peer.start();
    else if (luck < 0.5 && areLinksCut && peer !== other) lab.link(peer, other, false);
    else if (luck < 0.7 && peer !== other) lab.link(peer, other, true);
    else if (peers[0].isUp) peers[0].emit(sensor, 'bell', turn);
  }
  for (const peer of peers) for (const other of peers) if (peer !== other) lab.link(peer, other, true);
  for (const peer of peers) if (!peer.isUp) peer.start();
  await lab.pass(1000);
  lab.rule('timed', null);
  await lab.pass(600_000);
  await lab.close();
  return { lab, peers };
};

test('no device does a step twice, and every firing comes to an end, whatever fails', async (t) => {
  const seed = seedOf(t);
  let deeds = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.boolean(), async (luck, areLinksCut) => {
      const { lab, peers } = await play(randomFrom(luck), areLinksCut);
      deeds += lab.deeds.length;
      const done = new Set<string>();
      for (const { thing, input, cause } of lab.deeds) {
        const step = `${cause.chain!.at(-1)!.firing} ${thing} ${input}`;
        assert.ok(!done.has(step), `${step} was done twice`);
        done.add(step);
      }
      for (const peer of peers) {
        assert.ok(
          peer.executions().every(({ ended }) => ended !== null),
          'all have ended',
        );
        const runs = [...peer.disk.local.keys()].filter((key) => key.includes('/run/'));
        assert.deepEqual(runs, [], 'nothing is left on disk');
      }
    }),
    { seed, numRuns: process.env.ALTHING_TEST_LONG ? 500 : 10 },
  );
  assert.ok(deeds > 50, 'enough was done for the law to mean something');
});
