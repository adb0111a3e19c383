/**
 * Whose records are held, and who may write which data record: a device speaks for itself and its own Things, admins
 * for the fabric. Relies on the membership as it is now, so that the order of arrival never matters.
 */
import type { PeerId } from '../core/ids.ts';
import { isOwnKey, markIn } from '../core/rule-keys.ts';
import type { Authority } from '../fabric/authority.ts';
import { type SignedRecord, thingCollections } from './record.ts';
import type { RecordStream } from './record-store.ts';

const ofAdmins = new Set(['label', 'rule', 'scene', 'setting']);

/** Whether an author's records in this stream are to be held: control of whom authority may follow from, data of members. */
export const isHeld = (stream: RecordStream, author: PeerId, authority: Authority): boolean => {
  if (stream === 'control') return authority.controlAuthors.has(author);
  const role = authority.members.get(author)?.role;
  return role !== undefined && role !== 'guest';
};

/** Whether this record's author is entitled to it under this membership. */
export const mayWrite = (record: SignedRecord, authority: Authority): boolean => {
  if (!isHeld('data', record.authorId, authority)) return false;
  const isAdmin = authority.members.get(record.authorId)?.role === 'admin';
  if (record.collection === 'peer') return record.key === record.authorId;
  if (thingCollections.has(record.collection)) {
    const { thingOwner } = record;
    if (thingOwner === null) return false;
    const speaker = authority.speakerOf(thingOwner);
    // What a replaced device had said is signed anew by the admin who replaced it, until its successor speaks.
    return speaker === record.authorId || (isAdmin && speaker !== thingOwner);
  }
  if (record.collection === 'rule') return mayWriteRule(record, isAdmin);
  if (ofAdmins.has(record.collection)) return isAdmin;
  return true;
};

/**
 * A member's rule is its own; an admin may only remove it. Whether it is in force is asked of the grants when it is to
 * run: they begin and end by time, and what is held and shown must not depend on that.
 */
const mayWriteRule = ({ key, author, deleted }: SignedRecord, isAdmin: boolean): boolean => {
  if (markIn(key) === undefined) return isAdmin;
  return isOwnKey(key, author) || (isAdmin && deleted);
};
