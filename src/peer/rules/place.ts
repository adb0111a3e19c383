/**
 * Where the fabric is, for times of day and the sun: the `setting` record `place`, of admins.
 * Relies on the replica; where nobody has said, on this machine's own time zone.
 */
import { AlthingError } from '../../core/errors.ts';
import type { PlaceInfo } from '../../core/rule-shapes.ts';
import { recordValue } from '../../replica/record.ts';
import type { Replica } from '../../replica/replica.ts';
import { requireAdmin } from './rule-lookup.ts';

const placeKey = 'place';

/** The place as it is known; what is no place in the record is left out. */
export const placeOf = (replica: Replica): PlaceInfo => {
  const record = replica.get('setting', placeKey);
  const said = (record && (recordValue(record) as Partial<Record<keyof PlaceInfo, unknown>> | null)) ?? {};
  const { zone, latitude, longitude } = said;
  return {
    zone: isZone(zone) ? zone : Intl.DateTimeFormat().resolvedOptions().timeZone,
    latitude: isWithin(latitude, 90) ? latitude : null,
    longitude: isWithin(longitude, 180) ? longitude : null,
  };
};

/** Says the place for all; what is left out stays. Throws `not-admin`, `bad-input`, the store's codes. */
export const setPlace = async (replica: Replica, change: Partial<PlaceInfo>): Promise<PlaceInfo> => {
  requireAdmin(replica, 'says where the fabric is');
  const { zone, latitude, longitude } = { ...placeOf(replica), ...change };
  if (!isZone(zone))
    throw new AlthingError('bad-input', `"${zone}" is no time zone: one is Europe/Berlin, another UTC.`);
  if (latitude !== null && !isWithin(latitude, 90))
    throw new AlthingError('bad-input', `A latitude is -90 to 90 degrees, not ${latitude}.`);
  if (longitude !== null && !isWithin(longitude, 180))
    throw new AlthingError('bad-input', `A longitude is -180 to 180 degrees, not ${longitude}.`);
  if ((latitude === null) !== (longitude === null))
    throw new AlthingError('bad-input', 'A place has both a latitude and a longitude, or neither.');
  const value = { zone, ...(latitude !== null && { latitude }), ...(longitude !== null && { longitude }) };
  await replica.write(() => [{ collection: 'setting', key: placeKey, value }]);
  return placeOf(replica);
};

const isZone = (zone: unknown): zone is string => {
  if (typeof zone !== 'string' || zone === '' || zone.length > 100) return false;
  try {
    Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    // It throws for what is no zone: the caller says so.
    return false;
  }
};

const isWithin = (degrees: unknown, most: number): degrees is number =>
  typeof degrees === 'number' && Math.abs(degrees) <= most;
