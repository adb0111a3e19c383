/**
 * Who may write which data record: a device speaks for itself and its own Things, admins for the fabric.
 * Relies on the membership as it is now; asked when reading, so that the order of arrival never matters.
 */
import { parseThingId } from '../core/ids.ts';
import type { Authority } from '../fabric/authority.ts';
import type { SignedRecord } from './record.ts';

const ofAdmins = new Set(['label', 'rule', 'scene', 'setting']);
const ofThings = new Set(['thing', 'shadow']);

/** Whether this record's author is entitled to it under this membership. */
export const mayWrite = (record: SignedRecord, authority: Authority): boolean => {
  const role = authority.members.get(record.authorId)?.role;
  if (role === undefined || role === 'guest') return false;
  if (record.collection === 'peer') return record.key === record.authorId;
  if (ofThings.has(record.collection)) return parseThingId(record.key)?.peer === record.authorId;
  if (ofAdmins.has(record.collection)) return role === 'admin';
  return true;
};
