/**
 * What an admin writes to put one peer in the place of another: the word for it, and what the old one's Things were.
 * Relies on the records held: those of a replaced peer fall, so what it said of its Things is signed anew here.
 */
import { type PeerId, parseThingId, publicKeyOf } from '../../core/ids.ts';
import type { Draft } from '../../replica/draft.ts';
import { recordValue } from '../../replica/record.ts';
import type { Replica } from '../../replica/replica.ts';

/** Statement and data that go into one `write`: the Things stay listed until the successor speaks for them. */
export const replacementDrafts = (replica: Replica, old: PeerId, successor: PeerId): Draft[] => {
  const value = { type: 'replacement', old: publicKeyOf(old), new: publicKeyOf(successor) };
  const { speakerOf } = replica.authority;
  const speaker = speakerOf(old);
  const isOfOld = (id: string): boolean => {
    const peer = parseThingId(id)?.peer;
    return peer !== undefined && speakerOf(peer) === speaker && (speaker === old || peer !== speaker);
  };
  const said = ['thing', 'shadow'].flatMap((collection) =>
    replica
      .list(collection)
      .filter(({ key }) => isOfOld(key))
      .map((record): Draft => ({ collection, key: record.key, value: recordValue(record) })),
  );
  return [{ collection: 'replacement', key: old, value }, ...said];
};
