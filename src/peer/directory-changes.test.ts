/**
 * What listeners of the directory are promised.
 * Relies on a directory that says what the test tells it to.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SignedRecord } from '../replica/record.ts';
import { waitFor } from '../testing/wait-for.ts';
import type { ThingDescription } from '../thing/thing-description.ts';
import type { Directory } from './directory.ts';
import { DirectoryChanges } from './directory-changes.ts';

const things = (): { map: Map<string, ThingDescription>; directory: Directory } => {
  const map = new Map<string, ThingDescription>();
  const directory = { find: () => [...map.values()], byId: (id: string) => map.get(id) };
  return { map, directory: directory as unknown as Directory };
};
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const td = (id: string): ThingDescription => ({ id, title: id }) as ThingDescription;
const record = (key: string, collection = 'thing'): SignedRecord => ({ collection, key }) as SignedRecord;

test('a Thing is created once, then updated, then deleted once', () => {
  const { map, directory } = things();
  const changes = new DirectoryChanges(nextTurn);
  const heard: string[] = [];
  map.set('old', td('old'));
  const stop = changes.listen(({ kind, td: { id } }) => heard.push(`${kind} ${id}`), directory);
  changes.tell([record('old')], directory);
  map.set('new', td('new'));
  changes.tell([record('new'), record('peer-card', 'peer')], directory);
  changes.tell([record('new')], directory);
  map.delete('new');
  changes.tell([record('new'), record('new'), record('never')], directory);
  stop();
  changes.tell([record('old')], directory);
  assert.deepEqual(heard, [
    'thing_updated old',
    'thing_created new',
    'thing_updated new',
    'thing_deleted new',
  ]);
});

test('a new name or room of a Thing is a change of it; a name of a peer is none of any Thing', () => {
  const { map, directory } = things();
  const changes = new DirectoryChanges(nextTurn);
  const heard: string[] = [];
  map.set('lamp', td('lamp'));
  changes.listen(({ kind, td: { id } }) => heard.push(`${kind} ${id}`), directory);
  changes.tell(
    [record('lamp', 'label'), record('some-peer', 'label'), record('unknown', 'label')],
    directory,
  );
  changes.tell([record('lamp', 'shadow')], directory);
  assert.deepEqual(heard, ['thing_updated lamp']);
});

test('of thousands that come at once all are told, in their order, and others get their turn meanwhile', async () => {
  const { map, directory } = things();
  let turns = 0;
  const changes = new DirectoryChanges(() => {
    turns += 1;
    return nextTurn();
  });
  const heard: string[] = [];
  const stop = changes.listen(({ kind, td: { id } }) => heard.push(`${kind} ${id}`), directory);
  const ids = Array.from({ length: 1000 }, (_, n) => `thing-${n}`);
  for (const id of ids) map.set(id, td(id));
  changes.tellThings(ids, directory);
  // What changes before its turn has come is told of as it is then.
  map.delete('thing-999');
  changes.tellThings(['thing-0', 'thing-999'], directory);
  await waitFor(() => heard.length === 1000, { what: 'all to be told of' });
  assert.deepEqual(heard, [...ids.slice(0, 999).map((id) => `thing_created ${id}`), 'thing_updated thing-0']);
  assert.ok(turns >= 60, `${turns} turns`);
  changes.tellThings(ids, directory);
  stop();
  const heardLater = heard.length;
  changes.listen(({ kind, td: { id } }) => heard.push(`${kind} ${id}`), directory);
  changes.tellThings(['thing-1'], directory);
  await waitFor(() => heard.length > heardLater, { what: 'the new listener to be told' });
  assert.deepEqual(heard.slice(heardLater), ['thing_updated thing-1']);
});

test('more than 512 listeners are refused', () => {
  const { directory } = things();
  const changes = new DirectoryChanges(nextTurn);
  for (let i = 0; i < 512; i++) changes.listen(() => {}, directory);
  assert.throws(() => changes.listen(() => {}, directory), { code: 'too-many' });
});
