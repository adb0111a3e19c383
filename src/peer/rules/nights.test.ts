/** The promise that a rule of half past two runs once, at one peer, in nights that skip half past two or have it twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TimeTrigger } from '../../rules/rule.ts';
import { dateText, timeText, zonedTime } from '../../rules/zoned-time.ts';
import { RuleLab } from '../../testing/rule-lab.ts';

const hour = 3_600_000;
const times: readonly TimeTrigger[] = [{ at: '02:30' }, { cron: '30 2 * * *' }];

/** A night: its zone, the midnight UTC after which it is watched for a day, and when it is to run in all that time. */
const nights = [
  ['Europe/Berlin', '2026-03-28T22:00Z', ['2026-03-29 03:00 01:00Z'], 'skips'],
  ['Europe/Berlin', '2026-10-24T22:00Z', ['2026-10-25 02:30 00:30Z'], 'has twice'],
  ['Australia/Sydney', '2026-10-03T12:00Z', ['2026-10-04 03:00 16:00Z'], 'skips'],
  ['Australia/Sydney', '2026-04-04T12:00Z', ['2026-04-05 02:30 15:30Z'], 'has twice'],
] as const;

for (const [zone, from, expected, how] of nights)
  test(`the night that ${how} half past two in ${zone} runs a rule of that time once, whichever peers come and go`, async () => {
    const lab = new RuleLab();
    lab.clock.set(Date.parse(from));
    const peers = [await lab.start('a'), await lab.start('b'), await lab.start('c')] as const;
    lab.place({ zone });
    const lamps = peers.map((peer) => peer.expose('lamp', { on: 0 }).id);
    for (const [index, time] of times.entries())
      lab.rule(`night-${index}`, {
        triggers: [{ time }],
        steps: lamps.map((thing) => ({
          write: { thing, property: 'on', value: { literal: index } },
          onFailure: 'continue',
        })),
      });
    // A quarter of an hour at a time, one peer restarts: each of them before, between and after the moments.
    for (let quarter = 0; quarter < 4 * 20; quarter++) {
      await lab.pass(hour / 4 - 60_000);
      const peer = peers[quarter % 3]!;
      peer.crash();
      await lab.pass(30_000);
      peer.start();
      await lab.pass(30_000);
    }
    for (const [index] of times.entries()) {
      const runs = peers.flatMap((peer) => peer.executions(`night-${index}`));
      const when = runs.map(({ started }) => {
        const local = zonedTime(Date.parse(started), zone);
        return `${dateText(local)} ${timeText(local)} ${started.slice(11, 16)}Z`;
      });
      assert.deepEqual(when, expected);
      assert.deepEqual(
        lab.deeds.filter(({ input }) => input === index).map(({ thing }) => thing),
        lamps,
      );
    }
    await lab.close();
  });
