import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutionInfo } from '../../core/rule-shapes.ts';
import { StepLab } from '../../testing/step-lab.ts';

const execution = (rule: string, number: number, parts: Partial<ExecutionInfo> = {}): ExecutionInfo => ({
  firing: `manual/${rule}/${number}`,
  rule,
  name: rule,
  peer: 'peer',
  started: new Date(1_700_000_000_000 + number).toISOString(),
  ended: null,
  trigger: { kind: 'manual', id: '0', thing: null, peer: null, name: null, goes: null },
  chain: [],
  conditions: [],
  steps: [],
  outcome: 'running',
  message: null,
  ...parts,
});

test('runs and states of triggers are there after a restart, until they are dropped', async () => {
  const lab = new StepLab();
  await lab.store.saveRun('manual/hall/1', { list: { at: 2 } });
  await lab.store.saveRun('manual/hall/2', { list: { at: 0 } });
  await lab.store.saveTrigger('hall/0', { inside: true, dueMs: 7 });
  await lab.store.dropRun('manual/hall/2');
  lab.state.crash();
  const again = new StepLab(lab.disk).store;
  assert.deepEqual([...again.runs()], [['manual/hall/1', { list: { at: 2 } }]]);
  assert.deepEqual([...again.triggers()], [['hall/0', { inside: true, dueMs: 7 }]]);
});

test('what belongs together is written in one commit', async () => {
  const lab = new StepLab();
  await lab.store.write({
    runs: [['manual/hall/1', { at: 0 }]],
    triggers: [['hall/0', { inside: true }]],
    executions: [execution('hall', 1)],
  });
  assert.equal(lab.disk.commits, 1);
});

test('the last 50 executions of a rule are kept and 500 in all, newest first, also over a restart', async () => {
  const lab = new StepLab();
  for (let rule = 0; rule < 12; rule += 1)
    for (let n = 0; n < 55; n += 1) await lab.store.saveExecution(execution(`rule-${rule}`, rule * 100 + n));
  for (const store of [lab.store, new StepLab(lab.disk.image()).store]) {
    const last = store.executions({ rule: 'rule-11' });
    assert.equal(last.length, 50);
    assert.equal(last[0]?.firing, 'manual/rule-11/1154');
    assert.equal(last.at(-1)?.firing, 'manual/rule-11/1105');
    assert.equal(store.executions({ limit: 1000 }).length, 500);
    assert.deepEqual(store.executions({ rule: 'rule-0' }), []);
    assert.equal(store.executions({ firing: 'manual/rule-9/910' }).length, 1);
  }
  assert.equal([...lab.disk.local.keys()].filter((key) => key.includes('/execution/')).length, 500);
});

test('firings that came to nothing push out none that was executed', async () => {
  const { store } = new StepLab();
  await store.write({ executions: [execution('hall', 1, { outcome: 'done' })] });
  for (let n = 2; n < 60; n += 1)
    await store.write({ executions: [execution('hall', n, { outcome: n % 2 ? 'not-run' : 'refused' })] });
  const kept = store.executions({ rule: 'hall' }).map(({ firing }) => firing);
  assert.equal(kept.length, 11);
  assert.deepEqual([kept[0], kept.at(-1)], ['manual/hall/59', 'manual/hall/1']);
});

test('an execution that is told again replaces what was told of it', async () => {
  const { store } = new StepLab();
  await store.saveExecution(execution('hall', 1));
  await store.saveExecution(execution('hall', 2));
  await store.saveExecution(execution('hall', 1, { outcome: 'done' }));
  assert.deepEqual(
    store.executions().map(({ firing, outcome }) => [firing, outcome]),
    [
      ['manual/hall/2', 'running'],
      ['manual/hall/1', 'done'],
    ],
  );
});

test('large values are cut, and an execution with much of everything keeps its last steps', async () => {
  const lab = new StepLab();
  const step = (input: unknown) => ({
    ...{ path: '0', time: '', what: 'done', thing: 'lamp', op: 'writeproperty', name: 'on', code: null },
    what: 'done' as const,
    input,
  });
  const long = 'x'.repeat(1_000_000);
  await lab.store.saveExecution(
    execution('hall', 1, { steps: [step(long), step({ deep: [long] }), step(7)] }),
  );
  const [kept] = lab.store.executions();
  assert.match(String(kept?.steps[0]?.input), /^x{200}… \(1000000 characters\)$/);
  assert.match(String(kept?.steps[1]?.input), /^{"deep":\["x{190,}… \(\d+ characters\)$/);
  assert.equal(kept?.steps[2]?.input, 7);
  const many = Array.from({ length: 300 }, (_, n) => step(`${n} ${'y'.repeat(2000)}`));
  await lab.store.saveExecution(execution('hall', 2, { steps: many }));
  assert.equal(lab.store.executions({ firing: 'manual/hall/2' })[0]?.steps.length, 50);
  for (const note of lab.disk.local.values()) assert.ok(note.length < 40_000);
});

test('more runs than a peer may have are refused, and what was there stays', async () => {
  const { store } = new StepLab();
  const runs = Array.from({ length: 1000 }, (_, n) => [`manual/hall/${n}`, { at: n }] as const);
  await store.write({ runs });
  await assert.rejects(store.saveRun('manual/hall/1000', {}), { code: 'too-many' });
  await store.saveRun('manual/hall/999', { at: 'new' });
  await store.dropRun('manual/hall/0');
  await store.saveRun('manual/hall/1000', {});
  assert.equal(store.runs().size, 1000);
});

test('in another fabric nothing of the former one counts, and it is deleted', async () => {
  const lab = new StepLab();
  await lab.store.saveRun('manual/hall/1', { at: 0 });
  await lab.store.saveExecution(execution('hall', 1));
  lab.state.crash();
  const { store } = new StepLab(lab.disk, { fabric: 'cd'.repeat(32) });
  assert.equal(store.runs().size, 0);
  assert.deepEqual(store.executions(), []);
  await store.saveRun('manual/hall/2', { at: 0 });
  await store.forgetOthers();
  assert.equal(lab.disk.local.size, 1);
  assert.equal(store.runs().size, 1);
});
