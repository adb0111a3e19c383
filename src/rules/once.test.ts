/** The promise that a device does a step at most once, whatever it is asked, forgets and restarts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seedOf } from '../testing/seed.ts';
import {
  type LedgerChange,
  type LedgerEntry,
  type LedgerRule,
  OnceLedger,
  type StepRequest,
} from './once.ts';

const request = (over: Partial<StepRequest> = {}): StepRequest => ({
  ...{ rule: 'r', firing: 'manual/r/1', step: '0/t0', mode: 'single', clock: 10 },
  ...over,
});

const act = (ledger: OnceLedger, asked: StepRequest): string => {
  const decision = ledger.decide(asked);
  if (decision.kind === 'do') {
    ledger.take(decision.entry);
    ledger.settle(decision.entry, 'done');
  }
  return decision.kind;
};

test('a step is done once, and its repetition is answered with what became of it', () => {
  const ledger = new OnceLedger();
  const decision = ledger.decide(request());
  assert.ok(decision.kind === 'do');
  assert.deepEqual(ledger.answer(request()), 'not-seen');
  ledger.take(decision.entry);
  assert.deepEqual(ledger.decide(request()), { kind: 'repeated', entry: decision.entry });
  const { put } = ledger.settle(decision.entry, 'failed', 'handler-failed');
  assert.deepEqual(put, [{ ...decision.entry, outcome: 'failed', code: 'handler-failed' }]);
  assert.deepEqual(ledger.answer(request()), put[0]);
  assert.equal(act(ledger, request({ step: '0/t0~1' })), 'do', 'another try is another step');
  assert.equal(act(ledger, request({ firing: 'manual/r/2' })), 'do');
});

test('a command that was done under one number of a try is done under the next no more, on neither side of a partition', () => {
  const tried = (number: number): StepRequest => request({ step: `0/t${number}:urn:x:lamp/on` });
  for (const [first, then] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const ledger = new OnceLedger();
    act(ledger, tried(first));
    assert.equal(act(ledger, tried(then)), 'repeated');
    const answer = ledger.answer(tried(then));
    assert.equal(typeof answer === 'object' && answer.outcome, 'done');
    assert.equal(act(ledger, request({ step: '0/t0:urn:x:fan/on' })), 'do', 'another Thing');
  }
  const ledger = new OnceLedger();
  const decision = ledger.decide(tried(0));
  assert.ok(decision.kind === 'do');
  ledger.take(decision.entry);
  ledger.settle(decision.entry, 'failed', 'handler-failed');
  assert.equal(act(ledger, tried(1)), 'do', 'what failed may be tried again');
});

test('in mode restart a step of an older run is refused, also one that was never seen', () => {
  const ledger = new OnceLedger();
  act(ledger, request({ mode: 'restart', firing: 'b', clock: 20 }));
  assert.equal(act(ledger, request({ mode: 'restart', firing: 'a', clock: 10, step: '2/t0' })), 'older-run');
  assert.equal(act(ledger, request({ mode: 'restart', firing: 'b', clock: 20, step: '2/t0' })), 'do');
  assert.equal(act(ledger, request({ mode: 'queued', firing: 'a', clock: 10, step: '3/t0' })), 'do');
  assert.equal(act(ledger, request({ mode: 'restart', rule: 'other', firing: 'a', clock: 10 })), 'do');
});

test('what was forgotten is refused, and a busy rule does not make others forget', () => {
  const ledger = new OnceLedger(undefined, { entriesPerRule: 3, rules: 2 });
  act(ledger, request({ rule: 'calm', clock: 1 }));
  for (let clock = 1; clock <= 10; clock++) act(ledger, request({ firing: `f${clock}`, clock }));
  assert.equal(act(ledger, request({ firing: 'f7', clock: 7 })), 'forgotten');
  assert.equal(act(ledger, request({ firing: 'f8', clock: 8 })), 'repeated');
  assert.equal(act(ledger, request({ rule: 'calm', clock: 1 })), 'repeated');
  act(ledger, request({ rule: 'third', clock: 30 }));
  assert.deepEqual(ledger.size, { rules: 2, entries: 4 });
  assert.equal(ledger.answer(request({ rule: 'calm', clock: 1 })), 'forgotten');
  assert.equal(act(ledger, request({ rule: 'calm', clock: 31 })), 'do');
});

test('beyond what is kept in all, the rule that has most of it forgets first', () => {
  const ledger = new OnceLedger(undefined, { entriesPerRule: 10, rules: 9, entries: 4 });
  act(ledger, request({ rule: 'calm', clock: 1 }));
  for (let clock = 1; clock <= 9; clock++) act(ledger, request({ firing: `f${clock}`, clock }));
  assert.deepEqual(ledger.size, { rules: 2, entries: 4 });
  assert.equal(act(ledger, request({ rule: 'calm', clock: 1 })), 'repeated');
  assert.equal(act(ledger, request({ firing: 'f6', clock: 6 })), 'forgotten');
  assert.equal(act(ledger, request({ rule: 'new', clock: 2 })), 'do');
  assert.equal(act(ledger, request({ firing: 'f7', clock: 7 })), 'forgotten');
});

test('for any requests, restarts and full disks: no step is done twice, and memory stays within its bounds', (t) => {
  const asked = fc.record({
    rule: fc.constantFrom('a', 'b', 'c', 'd'),
    run: fc.integer({ min: 1, max: 12 }),
    step: fc.constantFrom('0/t0', '1/t0'),
    mode: fc.constantFrom('single', 'restart') as fc.Arbitrary<'single' | 'restart'>,
    restart: fc.boolean(),
    isFull: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.constant(true)),
  });
  const limits = { entriesPerRule: 4, rules: 3, entries: 7 };
  fc.assert(
    fc.property(fc.array(asked, { maxLength: 80 }), (list) => {
      // What is durable: changed by what the ledger says, and by nothing else.
      const entries = new Map<string, LedgerEntry>();
      const rules = new Map<string, LedgerRule>();
      const key = ({ rule, firing, step }: LedgerEntry): string => `${rule} ${firing} ${step}`;
      const write = (change: LedgerChange): void => {
        for (const entry of change.put) entries.set(key(entry), entry);
        for (const entry of change.drop) entries.delete(key(entry));
        for (const row of change.rules) rules.set(row.rule, row);
        for (const rule of change.dropRules) rules.delete(rule);
      };
      let ledger = new OnceLedger(undefined, limits);
      const done = new Map<string, number>();
      const newest = new Map<string, number>();
      let wasFull = false;
      for (const { rule, run, step, mode, restart, isFull } of list) {
        if (restart) ledger = new OnceLedger({ entries: entries.values(), rules: rules.values() }, limits);
        const step1: StepRequest = { rule, firing: `f${run}`, step, mode, clock: run };
        const decision = ledger.decide(step1);
        if (decision.kind !== 'do') continue;
        const change = ledger.take(decision.entry);
        if (isFull) {
          // Nothing was written, so nothing is done.
          ledger.takeBack(decision.entry);
          wasFull = true;
          continue;
        }
        write(change);
        done.set(key(decision.entry), (done.get(key(decision.entry)) ?? 0) + 1);
        if (mode === 'restart') assert.ok(run >= (newest.get(rule) ?? 0), 'an older run acted');
        newest.set(rule, Math.max(newest.get(rule) ?? 0, run));
        if (!restart) write(ledger.settle(decision.entry, 'done'));
        assert.ok(ledger.size.rules <= 3 && ledger.size.entries <= 7);
        if (!wasFull) assert.equal(entries.size, ledger.size.entries, 'memory and disk hold the same');
      }
      for (const [what, count] of done) assert.equal(count, 1, what);
    }),
    { seed: seedOf(t), numRuns: 500 },
  );
});
