import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Activity } from '../core/api-shapes.ts';
import { ActivityFeed } from './activity.ts';

test('who listens hears what happens, stamped, until they stop', () => {
  const feed = new ActivityFeed();
  assert.equal(typeof feed.report, 'undefined');
  feed.tell({ kind: 'session-up' });
  const heard: Activity[] = [];
  const stop = feed.listen((activity) => heard.push(activity));
  feed.report?.({ kind: 'thing-exposed', thing: 'urn:x' });
  stop();
  feed.tell({ kind: 'session-down' });
  assert.deepEqual(
    heard.map(({ kind, thing }) => [kind, thing]),
    [['thing-exposed', 'urn:x']],
  );
  assert.match(heard[0]!.time, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.equal(feed.report, undefined);
});

test('listeners are limited, and room that is freed can be taken again', () => {
  const feed = new ActivityFeed();
  const stops = Array.from({ length: 64 }, () => feed.listen(() => {}));
  assert.throws(() => feed.listen(() => {}), { code: 'too-many' });
  stops[0]!();
  feed.listen(() => {});
});
