import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError, type ErrorCode } from '../../core/errors.ts';
import { ScriptLab } from '../../testing/script-lab.ts';
import { waitFor } from '../../testing/wait-for.ts';
import type { InteractionOutput } from '../../thing/scripting-api.ts';
import { restartDelayMs, startScript } from './start-script.ts';

const fails = (code: ErrorCode) => (error: unknown) => error instanceof AlthingError && error.code === code;

const valve = `
  let open = false;
  WoT.produce({
    title: 'Valve',
    properties: {
      open: { type: 'boolean', observable: true },
      litres: { type: 'number', readOnly: true, uriVariables: { day: { type: 'integer' } } },
    },
    actions: { flush: { input: { type: 'integer' }, output: { type: 'string' } }, wait: {}, fail: {} },
    events: { leak: { data: { type: 'string' } } },
  }).then(async (thing) => {
    console.log('Produced ' + thing.getThingDescription().title + ' ' + Object.keys(thing.properties));
    thing
      .setPropertyReadHandler('open', async () => open)
      .setPropertyWriteHandler('open', async (value, options) => {
        open = await value.value();
        console.log('written by ' + options.cause.origin + ' of ' + options.peer.slice(0, 4));
        thing.emitPropertyChange('open');
      });
    thing.setPropertyReadHandler('litres', (options) => 10 * (options.uriVariables.day ?? 1));
    thing.setActionHandler('flush', async (params) => {
      const seconds = await params.value();
      thing.emitEvent('leak', 'drip');
      return 'flushed for ' + seconds;
    });
    thing.setActionHandler('wait', (params, { signal }) => new Promise((resolve) => {
      signal.addEventListener('abort', () => { console.log('aborted'); resolve(undefined); });
      console.log('waiting');
    }));
    thing.setActionHandler('fail', async () => { throw new Error('stuck'); });
    await thing.expose();
    console.log('exposed as ' + thing.id.split(':').at(-1));
  });
`;

/** A Thing once it is there; any other failure than its absence is thrown. */
const found = <T>(consumed: Promise<T>): Promise<T | undefined> =>
  consumed.catch((error: AlthingError) => {
    if (error.code === 'thing-unknown') return undefined;
    throw error;
  });

test('a script with the global WoT exposes a Thing whose handlers answer', async (t) => {
  const lab = new ScriptLab(t);
  const handle = await lab.start(valve);
  assert.equal(handle.state, 'running');
  await waitFor(() => lab.lines.includes('exposed as valve'), { what: () => lab.lines.join('\n') });
  assert.ok(lab.lines.includes('Produced Valve open,litres'));

  const thing = await lab.wot.consume('valve');
  const seen: unknown[] = [];
  const keep = async (data: InteractionOutput) => void seen.push(await data.value());
  await thing.observeProperty('open', keep);
  await thing.subscribeEvent('leak', keep);
  await thing.writeProperty('open', true);
  assert.equal(await (await thing.readProperty('open')).value(), true);
  assert.ok(lab.lines.includes('written by program of z6Mk'));
  assert.equal(await (await thing.readProperty('litres', { uriVariables: { day: 3 } })).value(), 30);
  assert.equal(await (await thing.invokeAction('flush', 5)).value(), 'flushed for 5');
  await waitFor(() => seen.length === 2, { what: 'the change and the event' });
  assert.deepEqual(seen, [true, 'drip']);
  await assert.rejects(thing.invokeAction('fail'), fails('handler-failed'));

  await handle.stop();
  assert.equal(handle.state, 'stopped');
  assert.equal(lab.wot.exposed.size, 0);
  assert.deepEqual(lab.failures, []);
});

test('giving up reaches the signal of the handler', async (t) => {
  const lab = new ScriptLab(t);
  await lab.start(valve);
  const thing = await waitFor(() => found(lab.wot.consume('valve')), { what: 'the valve' });
  const controller = new AbortController();
  const invoked = thing.invokeAction('wait', undefined, { signal: controller.signal });
  await waitFor(() => lab.lines.includes('waiting'), { what: 'the handler' });
  controller.abort();
  await assert.rejects(invoked, fails('cancelled'));
  await waitFor(() => lab.lines.includes('aborted'), { what: 'the abort' });
});

test('a default export gets wot, and startScript waits for it', async (t) => {
  const lab = new ScriptLab(t);
  await lab.start(
    `export default async (wot) => {
      enum Degrees { Low = 18, Room = 21 }
      const degrees: number = Degrees.Room;
      const thing = await wot.produce({ title: 'Thermometer', properties: { degrees: { type: 'number', readOnly: true } } });
      thing.setPropertyReadHandler('degrees', () => degrees);
      await thing.expose();
    };`,
    {},
    'thermometer.ts',
  );
  const thing = await lab.wot.consume('thermometer');
  assert.equal(await (await thing.readProperty('degrees')).value(), 21);
});

test('a CommonJS script may require its neighbours and export a function', async (t) => {
  const lab = new ScriptLab(t);
  lab.write('title.cjs', `module.exports = 'Neighbour';`);
  await lab.start(
    `const title = require('./title.cjs');
     module.exports = async (wot) => { const thing = await wot.produce({ title }); await thing.expose(); };`,
    {},
    'main.cjs',
  );
  assert.equal((await lab.wot.requestThingDescription('neighbour')).title, 'Neighbour');
});

test('a script consumes Things of others: reads, writes, invokes, observes, discovers, fails by code', async (t) => {
  const lab = new ScriptLab(t);
  await lab.start(valve, {}, 'valve.js');
  await waitFor(() => lab.wot.exposed.size === 1, { what: 'the valve' });
  await lab.start(
    `WoT.requestThingDescription('http://localhost:8080/valve').then(async (td) => {
      const thing = await WoT.consume(td);
      const subscription = await thing.observeProperty('open', async (data) => {
        console.log('observed', await data.value());
        await subscription.stop();
        console.log('stopped', subscription.active);
      });
      await thing.writeProperty('open', true);
      console.log('read', await (await thing.readProperty('open')).value());
      const all = await thing.readMultipleProperties(['open', 'litres']);
      console.log('multiple', all.size, await all.get('litres').value());
      console.log('invoked', await (await thing.invokeAction('flush', 1)).value());
      console.log('discovered', (await WoT.discover()).length);
      for await (const found of WoT.discover()) console.log('found', found.title);
      await WoT.consume('nothing').catch((error) => console.log('refused', error.code));
      await thing.writeProperty('open', 7).catch((error) => console.log('refused', error.code));
      const late = AbortSignal.timeout(20);
      await thing.invokeAction('wait', undefined, { signal: late }).catch((error) => console.log('gave up', error.code));
    });`,
    {},
    'client.js',
  );
  const expected = [
    'observed true',
    'stopped false',
    'read true',
    'multiple 2 10',
    'invoked flushed for 1',
    'discovered 1',
    'found Valve',
    'refused thing-unknown',
    'refused value-invalid',
    'gave up cancelled',
    'aborted',
  ];
  await waitFor(() => expected.every((line) => lab.lines.includes(line)), {
    what: () => lab.lines.join('\n'),
  });
});

test('bytes go both ways where the content type is binary', async (t) => {
  const lab = new ScriptLab(t);
  await lab.start(
    `export default async (wot) => {
      let image = Buffer.from([1, 2, 255]);
      const forms = [{ href: '', contentType: 'image/png' }];
      const thing = await wot.produce({ title: 'Camera', properties: { image: { forms } } });
      thing.setPropertyReadHandler('image', () => image);
      thing.setPropertyWriteHandler('image', async (input) => { image = new Uint8Array(await input.arrayBuffer()).reverse(); });
      await thing.expose();
    };`,
  );
  const camera = await lab.wot.consume('camera');
  assert.deepEqual(await (await camera.readProperty('image')).value(), Uint8Array.of(1, 2, 255));
  await camera.writeProperty('image', Uint8Array.of(7, 8));
  assert.deepEqual(await (await camera.readProperty('image')).value(), Uint8Array.of(8, 7));
});

test('a missing file, and one that is no script, are bad input', async (t) => {
  const lab = new ScriptLab(t);
  await assert.rejects(lab.start('', {}, 'notes.txt'), fails('bad-input'));
  const { wot } = lab;
  const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
  await assert.rejects(startScript(wot, `${lab.folder}/none.js`, { logger }), fails('bad-input'));
});

test('a script that crashes keeps its Things: they fail clearly, and answer again after the restart', async (t) => {
  const lab = new ScriptLab(t);
  const source = `
    export default async (wot) => {
      const thing = await wot.produce({ title: 'Phoenix', properties: { pid: { type: 'integer', observable: true } }, actions: { die: {} } });
      thing.setPropertyReadHandler('pid', async () => process.pid);
      thing.setPropertyObserveHandler('pid', async () => console.log('observed in ' + process.pid));
      thing.setActionHandler('die', () => process.exit(3));
      await thing.expose();
    };`;
  const handle = await lab.start(source, { restart: { firstMs: 300 } });
  const thing = await lab.wot.consume('phoenix');
  const before = await (await thing.readProperty('pid')).value();
  assert.equal(before, handle.pid);
  await thing.observeProperty('pid', () => {});

  await assert.rejects(thing.invokeAction('die'), fails('script-failed'));
  await waitFor(() => handle.state === 'waiting', { what: 'the end of the process' });
  assert.equal(lab.wot.exposed.size, 1);
  await assert.rejects(thing.readProperty('pid'), fails('script-failed'));
  assert.deepEqual(
    lab.failures.map(({ reason, code, restartMs }) => ({ reason, code, restartMs })),
    [{ reason: 'exited', code: 3, restartMs: 300 }],
  );

  await waitFor(() => handle.state === 'running', { what: 'the restart' });
  const after = await (await thing.readProperty('pid')).value();
  assert.notEqual(after, before);
  assert.equal(lab.wot.exposed.size, 1);
  await waitFor(() => lab.lines.includes(`observed in ${after}`), { what: 'the observer being told again' });
});

test('a default export that never returns is waited for only so long, and is restarted when it fails', async (t) => {
  const lab = new ScriptLab(t);
  await lab.start(
    `import { existsSync } from 'node:fs';
    export default async () => {
      while (!existsSync(new URL('fail', import.meta.url))) await new Promise((go) => setTimeout(go, 5));
      process.exit(1);
    };`,
    { startTimeoutMs: 50 },
  );
  assert.equal(lab.failures.length, 0);
  lab.write('fail', '');
  await waitFor(() => lab.failures.length >= 2, { what: 'two failures' });
  assert.notEqual(lab.failures[0]?.restartMs, null);
});

test('a handler for what a property does not allow is refused where it is set', async (t) => {
  const lab = new ScriptLab(t);
  await lab.start(
    `export default async (wot) => {
      const thing = await wot.produce({ title: 'Gauge', properties: { level: { type: 'number', readOnly: true } } });
      const attempt = (act) => { try { act(); } catch (error) { console.log(error.code); } };
      attempt(() => thing.setPropertyWriteHandler('level', () => {}));
      attempt(() => thing.setPropertyObserveHandler('level', () => {}));
      attempt(() => thing.setActionHandler('empty', () => {}));
      await thing.expose();
    };`,
  );
  await waitFor(() => lab.lines.length === 3, { what: 'three refusals' });
  assert.deepEqual(lab.lines, ['operation-unsupported', 'operation-unsupported', 'affordance-unknown']);
  assert.deepEqual(lab.failures, []);
});

test('Things that a later run no longer produces are destroyed once it is healthy', async (t) => {
  const lab = new ScriptLab(t);
  const source = (title: string) => `export default async (wot) => {
    await (await wot.produce({ title: '${title}' })).expose();
    if ('${title}' === 'Old') setTimeout(() => process.exit(1), 50);
  };`;
  // Longer than a busy machine takes to start a process: both are there for a while.
  await lab.start(source('Old'), { restart: { firstMs: 100, healthyMs: 3000 } });
  lab.write('script.js', source('New'));
  await waitFor(() => lab.wot.exposed.size === 2, { what: 'both' });
  await waitFor(() => lab.wot.exposed.size === 1, { what: 'the new one alone' });
  assert.equal((await lab.wot.requestThingDescription('new')).title, 'New');
});

test('an aborted signal stops a script', async (t) => {
  const lab = new ScriptLab(t);
  const controller = new AbortController();
  const handle = await lab.start(valve, { signal: controller.signal });
  const { pid } = handle;
  controller.abort();
  await waitFor(() => lab.wot.exposed.size === 0 && handle.pid === undefined, { what: 'the stop' });
  assert.throws(() => process.kill(pid!, 0));
  await assert.rejects(lab.start(valve, { signal: controller.signal }), fails('cancelled'));
});

test('the wait before a restart doubles up to its limit', () => {
  const policy = { firstMs: 500, maxMs: 60_000, healthyMs: 60_000 };
  const delays = [1, 2, 3, 7, 8, 2000].map((failures) => restartDelayMs(failures, policy));
  assert.deepEqual(delays, [500, 1000, 2000, 32_000, 60_000, 60_000]);
});
