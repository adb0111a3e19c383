import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { AlthingError } from '../../core/errors.ts';
import { ScriptLab } from '../../testing/script-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';
import type { ScriptFailureReason } from './script-process.ts';
import type { ScriptOptions } from './start-script.ts';

/** A script that does no harm, beside all the others of this file. */
const goodLab = new ScriptLab({ after });
const good = await goodLab.start(
  `export default async (wot) => {
    const thing = await wot.produce({ title: 'Good', properties: { on: { type: 'boolean' } } });
    thing.setPropertyReadHandler('on', () => true);
    await thing.expose();
  };`,
);
const { pid } = good;
const besideGood = (t: TestContext): ScriptLab => new ScriptLab(t, goodLab.wot);

/** Starts a script beside the good one; it must fail as expected, be started again, and leave the good one alone. */
const contained = async (
  lab: ScriptLab,
  source: string,
  reason: ScriptFailureReason,
  options: Partial<ScriptOptions> = {},
): Promise<void> => {
  const bad = await lab.start(source, { keepTrying: true, ...options }, 'bad.js');
  const failure = await waitFor(() => lab.failures[0], { what: () => `a failure:\n${lab.lines.join('\n')}` });
  assert.equal(failure.reason, reason, failure.message);
  assert.ok(failure.script.endsWith('bad.js') && failure.restartMs !== null);
  await waitFor(() => lab.failures.length > 1 || bad.pid !== undefined, { what: 'the restart' });
  const thing = await goodLab.wot.consume('good');
  assert.equal(await (await thing.readProperty('on')).value(), true);
  assert.equal(good.pid, pid);
  assert.deepEqual(goodLab.failures, []);
};

test('a script that throws at its start is reported, and rejected unless it is to be tried again', async (t) => {
  const source = `throw new Error('no such sensor');`;
  const lab = besideGood(t);
  await contained(lab, source, 'threw');
  assert.match(lab.failures[0]?.message ?? '', /no such sensor/);
  const failed = (error: unknown) => error instanceof AlthingError && error.code === 'script-failed';
  const once = new ScriptLab(t);
  await assert.rejects(once.start(source), failed);
  assert.deepEqual(
    once.failures.map(({ restartMs }) => restartMs),
    [null],
  );
});

test('a syntax error is reported', (t) => contained(besideGood(t), 'const = 1;', 'threw'));

test('an exception that nobody catches', (t) =>
  contained(besideGood(t), `setTimeout(() => { throw new TypeError('later'); }, 30);`, 'threw'));

test('a rejection that nobody handles', (t) =>
  contained(besideGood(t), `setTimeout(() => Promise.reject(new Error('later')), 30);`, 'threw'));

test('an endless loop', (t) => contained(besideGood(t), 'while (true) {}', 'hung', { hangTimeoutMs: 500 }));

test('an endless loop in a handler fails the request at the end', async (t) => {
  const lab = new ScriptLab(t);
  await lab.start(
    `export default async (wot) => {
      const thing = await wot.produce({ title: 'Spinner', actions: { spin: {} } });
      thing.setActionHandler('spin', () => { while (true) {} });
      await thing.expose();
    };`,
  );
  const thing = await lab.wot.consume('spinner');
  const failed = (error: unknown) => error instanceof AlthingError && error.code === 'script-failed';
  await assert.rejects(thing.invokeAction('spin'), failed);
  const failure = await waitFor(() => lab.failures[0], { what: 'the failure' });
  assert.equal(failure.reason, 'hung');
});

test('process.exit', (t) => contained(besideGood(t), 'process.exit(0);', 'exited'));

test('a kill of itself', (t) => contained(besideGood(t), `process.kill(process.pid, 'SIGKILL');`, 'exited'));

const emitter = (body: string) => `
  export default async (wot) => {
    const thing = await wot.produce({ title: 'Siren', actions: { start: {} }, events: { sound: { data: { type: 'integer' } } } });
    await thing.expose();
    ${body}
  };`;

test('a flood of events', (t) =>
  contained(
    besideGood(t),
    emitter(`setInterval(() => { for (let i = 0; i < 5000; i++) thing.emitEvent('sound', i); }, 5);`),
    'flooded',
  ));

test('a burst of events that is waited for arrives in order and in full', async (t) => {
  const lab = new ScriptLab(t);
  await lab.start(
    emitter(`
      thing.setActionHandler('start', async () => { for (let i = 0; i < 1500; i++) await thing.emitEvent('sound', i); });`),
  );
  const heard: unknown[] = [];
  const thing = await lab.wot.consume('siren');
  await thing.subscribeEvent('sound', async (data) => void heard.push(await data.value()));
  await thing.invokeAction('start');
  await waitFor(() => heard.length === 1500, { what: () => `${heard.length} of 1500 events` });
  assert.deepEqual(
    heard,
    Array.from({ length: 1500 }, (_, i) => i),
  );
  assert.deepEqual(lab.failures, []);
});

test('memory on the heap', (t) =>
  contained(
    besideGood(t),
    'const kept = []; setInterval(() => { for (let i = 0; i < 1e5; i++) kept.push({ i }); }, 1);',
    'grew',
    {
      heapMib: 32,
    },
  ));

test('memory outside the heap', (t) =>
  contained(
    besideGood(t),
    'const kept = []; setInterval(() => kept.push(Buffer.alloc(2e6, 1)), 5);',
    'grew',
    {
      memoryLimitBytes: 150 * 1024 * 1024,
    },
  ));

test('memory on the heap, told before a long stack trace', (t) =>
  contained(
    besideGood(t),
    `console.error('FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory');
    for (let i = 0; i < 40; i++) console.error(i + ': 0x931db0');
    process.abort();`,
    'grew',
  ));

test('bytes on the channel that are no messages', (t) =>
  contained(
    besideGood(t),
    `process.getBuiltinModule('fs').writeSync(3, Buffer.from([0, 0, 0, 1, 0x7b])); setInterval(() => {}, 1000);`,
    'broke-protocol',
  ));

test('a script that prints without end stays within the limit of the log', async (t) => {
  const lab = new ScriptLab(t);
  await lab.start(`setInterval(() => { for (let i = 0; i < 1000; i++) console.log('x'.repeat(100)); }, 20);`);
  await waitFor(() => lab.lines.some((line) => line.includes('prints too much')), { what: 'the warning' });
  assert.ok(lab.lines.length < 2000, String(lab.lines.length));
  assert.deepEqual(lab.failures, []);
});

test('a script reaches neither files outside its folder, nor processes, nor the key beside it', async (t) => {
  const lab = new ScriptLab(t);
  const home = join(lab.folder, 'home');
  mkdirSync(home);
  writeFileSync(join(home, 'identity.key'), 'secret');
  await lab.start(
    `const attempt = (name, act) => {
      try { act(); console.log(name, 'done'); } catch (error) { console.log(name, error.code ?? error.message); }
    };
    const module = (name) => process.getBuiltinModule(name);
    const fs = module('fs');
    attempt('neighbour', () => fs.readFileSync('${lab.folder}/script.js'));
    attempt('passwd', () => fs.readFileSync('/etc/passwd'));
    attempt('key', () => fs.readFileSync('${home}/identity.key'));
    attempt('write', () => fs.writeFileSync('${lab.folder}/x', ''));
    attempt('database', () => new (module('node:sqlite').DatabaseSync)('${lab.folder}/x.db'));
    attempt('spawn', () => module('child_process').execFileSync('/bin/true'));
    attempt('worker', () => new (module('worker_threads').Worker)('1', { eval: true }));
    attempt('parent', () => process.kill(process.ppid, 0));
    console.log('environment', Object.keys(process.env).filter((name) => !/^(TZ|LANG|LC_|NODE_EXTRA_CA)/.test(name)).length);`,
    { protect: [home] },
  );
  await waitFor(() => lab.lines.some((line) => line.startsWith('environment')), { what: 'the attempts' });
  const outcomes = lab.lines.map((line) => line.split(' '));
  assert.deepEqual(outcomes.slice(0, 1), [['neighbour', 'done']]);
  assert.deepEqual(
    outcomes.filter(([, outcome]) => outcome === 'ERR_ACCESS_DENIED').map(([name]) => name),
    ['passwd', 'key', 'write', 'spawn', 'worker', 'parent'],
  );
  assert.ok(!lab.lines.includes('database done'));
  assert.ok(lab.lines.includes('environment 0'));
});
