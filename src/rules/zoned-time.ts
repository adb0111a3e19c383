/**
 * What a clock on the wall of a time zone shows at a moment.
 * Relies on the zones that the JavaScript engine brings (`Intl`); names are IANA's (`Europe/Berlin`).
 */
import { AlthingError } from '../core/errors.ts';

/** Date and time of day as a zone has them. `weekday`: `mon` to `sun`. */
export interface ZonedTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly weekday: string;
}

const formats = new Map<string, Intl.DateTimeFormat>();

const formatOf = (zone: string): Intl.DateTimeFormat => {
  const known = formats.get(zone);
  if (known) return known;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      ...{ year: 'numeric', month: 'numeric', day: 'numeric', weekday: 'short' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
    });
  } catch (error) {
    throw new AlthingError('bad-input', `"${zone}" is no time zone: use a name such as Europe/Berlin.`, {
      cause: error,
    });
  }
  // A fabric has one zone; a few more may come from tests and from changes.
  if (formats.size >= 32) formats.clear();
  formats.set(zone, format);
  return format;
};

/** The wall clock of a zone at a moment (milliseconds since 1970). Throws `bad-input` for an unknown zone. */
export const zonedTime = (ms: number, zone: string): ZonedTime => {
  const parts: Record<string, string> = {};
  for (const { type, value } of formatOf(zone).formatToParts(ms)) parts[type] = value;
  return {
    year: Number(parts.year),
    month: Number(parts.month),
    day: Number(parts.day),
    hour: Number(parts.hour),
    minute: Number(parts.minute),
    second: Number(parts.second),
    weekday: parts.weekday!.toLowerCase(),
  };
};

const two = (part: number): string => String(part).padStart(2, '0');

/** `2026-03-29`. */
export const dateText = ({ year, month, day }: ZonedTime): string => `${year}-${two(month)}-${two(day)}`;

/** `07:05`. */
export const timeText = ({ hour, minute }: ZonedTime): string => `${two(hour)}:${two(minute)}`;
