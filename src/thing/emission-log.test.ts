import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AlthingError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { RecordingSink } from '../testing/thing-lab.ts';
import { EmissionLog } from './emission-log.ts';
import type { StreamHandle, StreamPosition, StreamSink } from './operations.ts';

const newLog = (run = 'run-1', logger: Logger = silentLogger) => new EmissionLog(run, 'level', logger);
const nothing = () => {};

test('a reader gets what is emitted after it came, in order, with its position', () => {
  const log = newLog();
  log.append('before', 6);
  const sink = new RecordingSink();
  const handle = log.open(sink, undefined, nothing);
  log.append('a', 1);
  log.append('b', 1);
  handle.stop();
  log.append('c', 1);
  assert.deepEqual(handle.position, { run: 'run-1', seq: 1 });
  assert.deepEqual(sink.values, ['a', 'b']);
  assert.deepEqual(sink.positions, [
    { run: 'run-1', seq: 2 },
    { run: 'run-1', seq: 3 },
  ]);
});

test('a reader that comes back gets what came meanwhile', () => {
  const log = newLog();
  for (const value of [1, 2, 3]) log.append(value, 1);
  const sink = new RecordingSink();
  const handle = log.open(sink, { run: 'run-1', seq: 1 }, nothing);
  assert.deepEqual(sink.values, [2, 3]);
  assert.deepEqual(handle.position, { run: 'run-1', seq: 1 });
  assert.deepEqual(sink.errors, []);
});

test('what is no longer kept is counted as missed, and the rest follows', () => {
  const log = newLog();
  for (let value = 1; value <= 100; value++) log.append(value, 1);
  const sink = new RecordingSink();
  const handle = log.open(sink, { run: 'run-1', seq: 10 }, nothing);
  assert.equal(sink.errors.length, 1);
  assert.equal(sink.errors[0]!.code, 'values-missed');
  assert.equal(sink.errors[0]!.details!.missed, 26);
  assert.deepEqual(
    sink.values,
    Array.from({ length: 64 }, (_, i) => i + 37),
  );
  assert.equal(handle.position.seq, 36);
});

test('large values push older ones out, but never the newest', () => {
  const log = newLog();
  log.append('old', 1);
  log.append('huge', 1024 * 1024);
  const sink = new RecordingSink();
  log.open(sink, { run: 'run-1', seq: 0 }, nothing);
  assert.equal(sink.errors[0]!.details!.missed, 1);
  assert.deepEqual(sink.values, ['huge']);
});

test('a reader from another run, or from a place that never was, learns that the gap is unknown', () => {
  const strangers: StreamPosition[] = [
    { run: 'run-0', seq: 1 },
    { run: 'run-1', seq: 3 },
    { run: 'run-1', seq: -1 },
    { run: 'run-1', seq: 0.5 },
    { run: 'run-1', seq: Number.NaN },
  ];
  for (const after of strangers) {
    const log = newLog();
    log.append('a', 1);
    log.append('b', 1);
    const sink = new RecordingSink();
    log.open(sink, after, nothing);
    assert.equal(sink.errors[0]!.details!.missed, null);
    assert.deepEqual(sink.values, ['a', 'b']);
  }
});

test('a sink that throws is removed and told of in the log; the others go on', () => {
  const warnings: string[] = [];
  const log = newLog('run-1', { ...silentLogger, warn: (_, message) => warnings.push(message) });
  let closed = 0;
  const bad: StreamSink = {
    next: () => {
      throw new Error('full');
    },
    error: nothing,
  };
  log.open(bad, undefined, () => closed++);
  const good = new RecordingSink();
  log.open(good, undefined, nothing);
  log.append(1, 1);
  log.append(2, 1);
  assert.deepEqual(good.values, [1, 2]);
  assert.equal(warnings.length, 1);
  assert.equal(closed, 1);
});

test('a sink that emits while it is called disturbs nobody’s order', () => {
  const log = newLog();
  const ends: unknown[] = [];
  const echo: StreamSink = {
    next: (value) => {
      if ((value as number) < 5) log.append((value as number) + 1, 1);
      ends.push(value);
    },
    error: nothing,
  };
  const first = new RecordingSink();
  const last = new RecordingSink();
  log.open(first, undefined, nothing);
  log.open(echo, undefined, nothing);
  log.open(last, undefined, nothing);
  log.append(1, 1);
  assert.deepEqual(first.values, [1, 2, 3, 4, 5]);
  assert.deepEqual(last.values, [1, 2, 3, 4, 5]);
  assert.deepEqual(ends, [1, 2, 3, 4, 5]);
});

test('closing ends every stream once, with the error', () => {
  const log = newLog();
  const sink = new RecordingSink();
  let closed = 0;
  const handle = log.open(sink, undefined, () => closed++);
  log.close(new AlthingError('thing-unknown', 'gone'));
  handle.stop();
  log.append(1, 1);
  assert.deepEqual(sink.values, []);
  assert.deepEqual(
    sink.errors.map(({ code }) => code),
    ['thing-unknown'],
  );
  assert.equal(closed, 1);
});

/** A consumer that loses its stream, the publisher's restarts included, and always comes back with where it stood. */
class Returner implements StreamSink {
  readonly seen: number[] = [];
  missed = 0;
  unknown = 0;
  handle: StreamHandle | undefined;
  at: StreamPosition | undefined;

  next(value: unknown, position: StreamPosition): void {
    this.seen.push(value as number);
    this.at = position;
  }

  error(error: AlthingError): void {
    const missed = error.details!.missed as number | null;
    if (missed === null) this.unknown++;
    else this.missed += missed;
  }

  enter(log: EmissionLog): void {
    this.handle?.stop();
    const handle = log.open(this, this.at, nothing);
    this.handle = handle;
    if (!this.at || this.at.run !== handle.position.run || this.at.seq < handle.position.seq)
      this.at = handle.position;
  }
}

test('however a reader comes and goes: in order, each value once, and every loss is told', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('emit' as const), count: fc.integer({ min: 1, max: 90 }) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('leave' as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('enter' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 20_000 }), (steps, size) => {
      let run = 1;
      let log = newLog('run-1');
      let emitted = 0;
      const reader = new Returner();
      reader.enter(log);
      for (const each of steps) {
        if (each.do === 'emit') for (let i = 0; i < each.count; i++) log.append(++emitted, size);
        else if (each.do === 'leave') reader.handle?.stop();
        else if (each.do === 'enter') reader.enter(log);
        else {
          reader.handle?.stop();
          log = newLog(`run-${++run}`);
        }
      }
      reader.enter(log);
      const inOrder = reader.seen.every((value, i) => i === 0 || value > reader.seen[i - 1]!);
      assert(inOrder, 'values came twice or out of order');
      if (run === 1) assert.equal(reader.seen.length + reader.missed, emitted);
      else assert(reader.unknown > 0, 'a restart went unnoticed');
    }),
    { numRuns: 300 },
  );
});
