/**
 * `althing place`: where the fabric is, for times of day and the sun.
 * Relies on the running peer's gateway; an admin's device says it.
 */
import { AlthingError } from '../core/errors.ts';
import type { RunCommand } from './command.ts';
import { clientOf } from './connect.ts';

export const run: RunCommand = async ({ home, options: { zone, latitude, longitude }, out }) => {
  const { rules } = clientOf(home);
  const change = {
    ...(zone !== undefined && { zone }),
    ...(latitude !== undefined && { latitude: degrees(latitude, '--latitude') }),
    ...(longitude !== undefined && { longitude: degrees(longitude, '--longitude') }),
  };
  const place = Object.keys(change).length === 0 ? await rules.place() : await rules.setPlace(change);
  out.answer(place, () =>
    place.latitude === null || place.longitude === null
      ? `${place.zone}; no coordinates, which sunrise and sunset need: althing place --latitude N --longitude N`
      : `${place.zone}, latitude ${place.latitude}, longitude ${place.longitude}`,
  );
};

const degrees = (text: string, option: string): number => {
  const number = Number(text);
  if (text.trim() !== '' && Number.isFinite(number)) return number;
  throw new AlthingError('bad-option', `${option} takes degrees such as 52.5, not "${text}".`);
};
