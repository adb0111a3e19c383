import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError, type ErrorCode } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { StoreHealth } from './store-health.ts';

const lab = () => {
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (_, message) => lines.push(`info ${message}`),
    error: (_, message) => lines.push(`error ${message}`),
  };
  const clock = { now: 1000 };
  const health = new StoreHealth({ logger, now: () => clock.now });
  const fail = (code: ErrorCode) => health.failed(new AlthingError(code, `${code}!`));
  return { lines, clock, health, fail };
};

test('a failing disk is told once, and once that it works again', () => {
  const { lines, health, fail, clock } = lab();
  let recovered = 0;
  health.onRecovered = () => {
    recovered += 1;
  };
  assert.deepEqual(health.state, { ok: true });
  for (let i = 0; i < 100; i++) fail('disk-full');
  clock.now = 5000;
  fail('disk-failed');
  assert.deepEqual(health.state, { ok: false, code: 'disk-failed', message: 'disk-failed!', since: 1000 });
  for (let i = 0; i < 100; i++) health.worked();
  assert.deepEqual(health.state, { ok: true });
  assert.equal(recovered, 1);
  assert.equal(lines.length, 3);
});

test('a disk that goes to and fro does not fill the log', () => {
  const { lines, health, fail, clock } = lab();
  for (let i = 0; i < 50; i++) {
    fail('disk-full');
    health.worked();
    clock.now += 1000;
  }
  assert.equal(lines.length, 2);
});

test('damage stays told until the peer is started again; errors of who asked are none of the disk', () => {
  const { health, fail } = lab();
  fail('too-many');
  fail('internal');
  assert.deepEqual(health.state, { ok: true });
  fail('store-corrupt');
  fail('disk-full');
  health.worked();
  assert.equal(health.state.ok, false);
  assert.equal(!health.state.ok && health.state.code, 'store-corrupt');
});
