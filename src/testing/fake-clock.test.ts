import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './fake-clock.ts';

test('timers fire in the order of their times, each at its own', () => {
  const clock = new FakeClock(1000);
  const fired: [string, number][] = [];
  const note = (name: string) => () => fired.push([name, clock.now()]);
  clock.schedule(20, note('late'));
  clock.schedule(10, () => {
    note('early')();
    clock.schedule(5, note('set by early'));
  });
  clock.schedule(10, note('early too'));
  clock.schedule(21, note('never'));
  clock.advance(20);
  assert.deepEqual(fired, [
    ['early', 1010],
    ['early too', 1010],
    ['set by early', 1015],
    ['late', 1020],
  ]);
  assert.equal(clock.now(), 1020);
  assert.equal(clock.pending, 1);
});

test('a cancelled timer never fires, also after the clock was set', () => {
  const clock = new FakeClock(1000);
  let fired = 0;
  const cancel = clock.schedule(10, () => {
    fired += 1;
  });
  clock.schedule(10, () => {
    fired += 10;
  });
  clock.set(5);
  cancel();
  assert.equal(clock.now(), 5);
  clock.advance(9);
  assert.equal(fired, 0);
  clock.advance(1);
  assert.equal(fired, 10);
});
