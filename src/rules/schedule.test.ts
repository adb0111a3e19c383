/** The promise that timed rules fire once a day also in nights of daylight saving, and that the sun is where it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import type { TimeTrigger } from './rule.ts';
import { cronProblem, nextTime } from './schedule.ts';
import { dateText, timeText, zonedTime } from './zoned-time.ts';

const fires = (trigger: TimeTrigger, zone: string, from: string, count: number): string[] => {
  const found: string[] = [];
  let at = Date.parse(from);
  for (let i = 0; i < count; i++) {
    at = nextTime(trigger, at, { zone })!;
    const local = zonedTime(at, zone);
    found.push(`${dateText(local)} ${timeText(local)} ${new Date(at).toISOString().slice(11, 16)}Z`);
  }
  return found;
};

const nights: readonly (readonly [string, string, TimeTrigger, string, readonly string[]])[] = [
  [
    'a time that Berlin skips',
    'Europe/Berlin',
    { at: '02:30' },
    '2026-03-28T12:00Z',
    ['2026-03-29 03:00 01:00Z', '2026-03-30 02:30 00:30Z'],
  ],
  [
    'a time that Berlin has twice',
    'Europe/Berlin',
    { at: '02:30' },
    '2026-10-24T12:00Z',
    ['2026-10-25 02:30 00:30Z', '2026-10-26 02:30 01:30Z'],
  ],
  [
    'half an hour that Lord Howe skips',
    'Australia/Lord_Howe',
    { at: '02:15' },
    '2026-10-03T00:00Z',
    ['2026-10-04 02:30 15:30Z', '2026-10-05 02:15 15:15Z'],
  ],
  [
    'half an hour that Lord Howe has twice',
    'Australia/Lord_Howe',
    { at: '01:45' },
    '2026-04-04T00:00Z',
    ['2026-04-05 01:45 14:45Z', '2026-04-06 01:45 15:15Z'],
  ],
  [
    'a midnight that Santiago skips',
    'America/Santiago',
    { at: '00:00' },
    '2026-09-05T12:00Z',
    ['2026-09-06 01:00 04:00Z', '2026-09-07 00:00 03:00Z'],
  ],
  [
    'a midnight that Beirut skips',
    'Asia/Beirut',
    { cron: '0 0 * * *' },
    '2026-03-28T12:00Z',
    ['2026-03-29 01:00 22:00Z', '2026-03-30 00:00 21:00Z'],
  ],
  [
    'two hours that Troll skips',
    'Antarctica/Troll',
    { at: '01:30' },
    '2026-03-28T12:00Z',
    ['2026-03-29 03:00 01:00Z', '2026-03-30 01:30 23:30Z'],
  ],
  [
    'a time that New York has twice',
    'America/New_York',
    { cron: '30 1 * * *' },
    '2026-10-31T12:00Z',
    ['2026-11-01 01:30 05:30Z', '2026-11-02 01:30 06:30Z'],
  ],
  [
    'one of two times skipped',
    'Europe/Berlin',
    { cron: '30 2,14 * * *' },
    '2026-03-28T14:00Z',
    ['2026-03-29 03:00 01:00Z', '2026-03-29 14:30 12:30Z'],
  ],
  [
    'every half hour, the hour twice',
    'Europe/Berlin',
    { cron: '*/30 * * * *' },
    '2026-10-25T00:15Z',
    ['2026-10-25 02:30 00:30Z', '2026-10-25 02:00 01:00Z', '2026-10-25 02:30 01:30Z'],
  ],
];

for (const [what, zone, trigger, from, expected] of nights)
  test(`daylight saving: ${what} fires as it should`, () => {
    assert.deepEqual(fires(trigger, zone, from, expected.length), expected);
  });

test('a time of day fires exactly once on every day of the year, in every kind of zone', (t) => {
  const zones = [
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'America/Santiago',
    'Asia/Beirut',
    'UTC',
  ];
  fc.assert(
    fc.property(fc.constantFrom(...zones), fc.integer({ min: 0, max: 1439 }), (zone, minute) => {
      const at = `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
      const days = fires({ at }, zone, '2026-01-01T12:00Z', 365).map((line) => line.slice(0, 10));
      assert.equal(new Set(days).size, 365, `${zone} ${at}`);
      const gap = Date.parse(days.at(-1)!) - Date.parse(days[0]!);
      assert.equal(gap, 364 * 86_400_000, `${zone} ${at}: a day was left out`);
    }),
    { seed: seedOf(t), numRuns: process.env.ALTHING_TEST_LONG ? 200 : 8 },
  );
});

test('the next time is after, never at, the moment asked for', (t) => {
  const triggers: TimeTrigger[] = [
    { at: '07:00:30' },
    { cron: '*/5 * * * *' },
    { sun: 'sunset', offsetMs: -900_000 },
  ];
  const place = { zone: 'Europe/Berlin', latitude: 52.5, longitude: 13.4 };
  fc.assert(
    fc.property(fc.constantFrom(...triggers), fc.integer({ min: 1.7e12, max: 1.9e12 }), (trigger, after) => {
      const first = nextTime(trigger, after, place)!;
      assert.ok(first > after);
      assert.ok(nextTime(trigger, first, place)! > first);
      // Asked any moment before, the answer is the same: no firing is passed over.
      assert.equal(nextTime(trigger, Math.max(after, first - 1), place), first);
    }),
    { seed: seedOf(t), numRuns: 50 },
  );
});

test('the sun sets in Berlin, on the other side of the date line, and not in the polar summer', () => {
  const sunset = (after: string, latitude: number, longitude: number): string =>
    new Date(
      nextTime({ sun: 'sunset' }, Date.parse(after), { zone: 'UTC', latitude, longitude })!,
    ).toISOString();
  assert.match(sunset('2026-06-21T00:00Z', 52.5, 13.4), /^2026-06-21T19:3/);
  assert.match(sunset('2026-06-21T06:00Z', -36.8, 174.7), /^2026-06-22T05:1/);
  assert.match(sunset('2026-06-01T00:00Z', 70, 25), /^2026-0[78]/);
  assert.throws(() => nextTime({ sun: 'sunrise' }, 0, { zone: 'UTC' }), { code: 'rule-invalid' });
});

test('a pattern that never comes has no time, and one that is none says so', () => {
  assert.equal(nextTime({ cron: '0 0 30 2 *' }, 0, { zone: 'UTC' }), undefined);
  assert.match(cronProblem('61 * * * *')!, /no cron pattern/);
  assert.match(cronProblem('* * * * * *')!, /five fields/);
  assert.equal(cronProblem('0 7 * * mon-fri'), undefined);
});
