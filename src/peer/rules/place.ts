/**
 * Where the fabric is, for times of day and the sun: the `setting` record `place`, of admins.
 * Relies on the book, which takes this machine's own zone where nobody has said any.
 */
import { AlthingError } from '../../core/errors.ts';
import type { PlaceInfo } from '../../core/rule-shapes.ts';
import { placeIn, placeKey } from './rule-book.ts';
import { type RuledFabric, requireAdmin } from './rule-lookup.ts';

/** The place as JSON. */
export const placeOf = ({ book }: RuledFabric): PlaceInfo => {
  const { zone, latitude = null, longitude = null } = book.place();
  return { zone, latitude, longitude };
};

/** Says the place for all; what is left out stays. Throws `not-admin`, `bad-input`, the store's codes. */
export const setPlace = async (fabric: RuledFabric, change: Partial<PlaceInfo>): Promise<PlaceInfo> => {
  requireAdmin(fabric.replica, 'says where the fabric is');
  const { zone, latitude, longitude } = { ...placeOf(fabric), ...change };
  if ((latitude === null) !== (longitude === null))
    throw new AlthingError('bad-input', 'A place has both a latitude and a longitude, or neither.');
  if (latitude !== null && !(Math.abs(latitude) <= 90))
    throw new AlthingError('bad-input', `A latitude is -90 to 90 degrees, not ${latitude}.`);
  if (longitude !== null && !(Math.abs(longitude) <= 180))
    throw new AlthingError('bad-input', `A longitude is -180 to 180 degrees, not ${longitude}.`);
  const value = { zone, ...(latitude !== null && { latitude, longitude }) };
  if (!placeIn(value))
    throw new AlthingError('bad-input', `"${zone}" is no time zone: one is Europe/Berlin, another UTC.`);
  await fabric.replica.write(() => [{ collection: 'setting', key: placeKey, value }]);
  return placeOf(fabric);
};
