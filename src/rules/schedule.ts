/**
 * When a time trigger fires next: times of day, cron patterns, sunrise and sunset, in the fabric's zone and place.
 * Relies on `croner` for patterns and daylight saving, on `suncalc` for the sun; the clock is passed in.
 *
 * Daylight saving: a time of day that does not exist one night fires once, at the first moment that does; one that
 * exists twice fires once, the first time. Patterns with a wildcard for hour or minute follow the clock on the wall.
 */
import { Cron } from 'croner';
import { getTimes } from 'suncalc';
import { AlthingError } from '../core/errors.ts';
import type { TimeTrigger } from './rule.ts';

/** Where the fabric is: an IANA time zone, and degrees north and east for the sun. */
export interface Place {
  readonly zone: string;
  readonly latitude?: number;
  readonly longitude?: number;
}

/**
 * The first moment strictly after `afterMs` (both milliseconds since 1970) at which the trigger fires; undefined where
 * there is none (30 February; the sun of a polar year). Throws `rule-invalid` for a pattern that is none and for a sun
 * without a place.
 */
export const nextTime = (trigger: TimeTrigger, afterMs: number, place: Place): number | undefined => {
  if ('sun' in trigger) return nextSun(trigger.sun, trigger.offsetMs ?? 0, afterMs, place);
  if ('cron' in trigger) return nextOf(cronOf(trigger.cron, place.zone, '5-part'), afterMs);
  const [hour, minute, second = '0'] = trigger.at.split(':');
  return nextOf(
    cronOf(`${Number(second)} ${Number(minute)} ${Number(hour)} * * *`, place.zone, '6-part'),
    afterMs,
  );
};

/** What is wrong with a cron pattern, in a few words; undefined where nothing is. */
export const cronProblem = (pattern: string): string | undefined => {
  try {
    cronOf(pattern, 'UTC', '5-part');
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

const crons = new Map<string, Cron>();
/** Patterns of a fabric are few; the bound is for those that are tried out. */
const cronsKept = 256;

const cronOf = (pattern: string, zone: string, mode: '5-part' | '6-part'): Cron => {
  const key = `${mode} ${zone} ${pattern}`;
  const known = crons.get(key);
  if (known) return known;
  let cron: Cron;
  try {
    // Paused and without a function: it computes times and never sets a timer.
    cron = new Cron(pattern, { timezone: zone, paused: true, mode, fixedTimeRule: 'no-wildcard' });
    // A wrong zone shows only when it is used.
    cron.nextRun(new Date(0));
  } catch (error) {
    throw new AlthingError(
      'rule-invalid',
      `"${pattern}" is no cron pattern in the zone ${zone}: five fields, as in "0 7 * * 1-5" (${(error as Error).message}).`,
      { cause: error },
    );
  }
  if (crons.size >= cronsKept) crons.delete(crons.keys().next().value!);
  crons.set(key, cron);
  return cron;
};

const nextOf = (cron: Cron, afterMs: number): number | undefined => {
  const next = cron.nextRun(new Date(afterMs))?.getTime();
  // Within a second it answers with the second that has begun.
  if (next === undefined || next > afterMs) return next;
  return cron.nextRun(new Date(afterMs + 1000))?.getTime();
};

const dayMs = 86_400_000;
/** A little more than a year: where the sun does not rise for months, it still does within that. */
const sunDays = 370;

const nextSun = (
  event: 'sunrise' | 'sunset',
  offsetMs: number,
  afterMs: number,
  { latitude, longitude }: Place,
): number | undefined => {
  if (latitude === undefined || longitude === undefined)
    throw new AlthingError('rule-invalid', 'The sun needs the place of the fabric: set its coordinates.');
  // The sun's own day of a place can be off the calendar's by one, and the offset shifts by half a day.
  for (let day = -2; day <= sunDays; day++) {
    const at = getTimes(new Date(afterMs + day * dayMs), latitude, longitude)[event]?.getTime();
    if (at === undefined) continue;
    // Whole seconds, so that peers whose floating point differs in the last place plan the same moment.
    const planned = Math.round(at / 1000) * 1000 + offsetMs;
    if (planned > afterMs) return planned;
  }
  return undefined;
};
