import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { labContext, labLamp, labThing, RecordingSink } from '../testing/thing-lab.ts';
import type { ExposedThing } from './exposed-thing.ts';
import type { StreamOperation, StreamPosition, StreamSink } from './operations.ts';

const open = (
  thing: ExposedThing,
  op: StreamOperation,
  name: string,
  sink: StreamSink,
  rest: { input?: unknown; after?: StreamPosition } = {},
) => thing.stream({ thing: thing.id, op, name, input: rest.input }, sink, labContext(), rest.after);

test('observers get what the script emits, and nothing by a write alone', async () => {
  const thing = labThing().setPropertyWriteHandler('level', () => {});
  const sink = new RecordingSink();
  const handle = await open(thing, 'observeproperty', 'level', sink);
  await thing.request({ thing: '', op: 'writeproperty', name: 'level', input: 1 }, labContext());
  await thing.emitPropertyChange('level', 2);
  await thing.emitPropertyChange('level', () => 3);
  await thing.emitPropertyChange('level', Promise.resolve(4));
  handle.stop();
  await thing.emitPropertyChange('level', 5);
  assert.deepEqual(sink.values, [2, 3, 4]);
});

test('a change without a value is read from the handler, in the Thing’s own name', async () => {
  const own = labContext({ cause: { id: 'own', origin: 'script', peer: 'me' } });
  let cause: unknown;
  const thing = labThing(labLamp, { ownContext: () => own }).setPropertyReadHandler(
    'level',
    async (options) => {
      cause = options.cause.id;
      return 42;
    },
  );
  const sink = new RecordingSink();
  await open(thing, 'observeproperty', 'level', sink);
  await thing.emitPropertyChange('level');
  assert.deepEqual([sink.values, cause], [[42], 'own']);
});

test('an emission that does not fit, or that nobody declared, rejects and reaches nobody', async () => {
  const thing = labThing();
  const sink = new RecordingSink();
  await open(thing, 'observeproperty', 'level', sink);
  await assert.rejects(thing.emitPropertyChange('level', 101), { code: 'value-invalid' });
  await assert.rejects(thing.emitPropertyChange('level', Promise.reject(new Error('x'))), /x/);
  await assert.rejects(thing.emitPropertyChange('level'), { code: 'handler-missing' });
  await assert.rejects(thing.emitPropertyChange('color', { r: 1 }), { code: 'operation-unsupported' });
  await assert.rejects(thing.emitPropertyChange('nope', 1), { code: 'affordance-unknown' });
  await assert.rejects(thing.emitEvent('flicker', 'x'), { code: 'value-invalid' });
  await assert.rejects(thing.emitEvent('on', 1), { code: 'affordance-unknown' });
  assert.deepEqual(sink.values, []);
});

test('subscriptions are checked, and what cannot be observed is refused', async () => {
  const thing = labThing();
  const sink = new RecordingSink();
  await assert.rejects(open(thing, 'subscribeevent', 'overheated', sink), { code: 'value-invalid' });
  await assert.rejects(open(thing, 'subscribeevent', 'overheated', sink, { input: {} }), {
    code: 'value-invalid',
  });
  await assert.rejects(open(thing, 'subscribeevent', 'flicker', sink, { input: 1 }), {
    code: 'value-invalid',
  });
  await assert.rejects(open(thing, 'observeproperty', 'color', sink), { code: 'operation-unsupported' });
  await assert.rejects(open(thing, 'observeproperty', 'nope', sink), { code: 'affordance-unknown' });
  await assert.rejects(open(thing, 'readproperty' as StreamOperation, 'on', sink), {
    code: 'operation-unsupported',
  });
  await open(thing, 'subscribeevent', 'overheated', sink, { input: { above: 60 } });
  await thing.emitEvent('overheated', 61.5);
  assert.deepEqual(sink.values, [61.5]);
});

test('a reader that comes back gets what it missed', async () => {
  const thing = labThing();
  const first = await open(thing, 'subscribeevent', 'flicker', new RecordingSink());
  first.stop();
  await thing.emitEvent('flicker', 1);
  await thing.emitEvent('flicker', 2);
  const sink = new RecordingSink();
  await open(thing, 'subscribeevent', 'flicker', sink, { after: first.position });
  assert.deepEqual(sink.values, [1, 2]);
});

test('handlers learn of every subscription and of its end; one that throws refuses it', async () => {
  const seen: string[] = [];
  const thing = labThing()
    .setEventSubscribeHandler('flicker', () => void seen.push('come'))
    .setEventUnsubscribeHandler('flicker', () => {
      seen.push('gone');
      throw new Error('ignored but logged');
    })
    .setPropertyObserveHandler('on', async () => {
      throw new Error('not now');
    });
  const one = await open(thing, 'subscribeevent', 'flicker', new RecordingSink());
  await open(thing, 'subscribeevent', 'flicker', new RecordingSink());
  one.stop();
  one.stop();
  assert.deepEqual(seen, ['come', 'come', 'gone']);
  await assert.rejects(open(thing, 'observeproperty', 'on', new RecordingSink()), { code: 'handler-failed' });
});

test('1024 streams are open at once, and no more', async () => {
  const thing = labThing();
  const handles = [];
  for (let i = 0; i < 1024; i++)
    handles.push(await open(thing, 'subscribeevent', 'flicker', new RecordingSink()));
  await assert.rejects(open(thing, 'observeproperty', 'on', new RecordingSink()), { code: 'too-many' });
  handles[0]!.stop();
  await open(thing, 'observeproperty', 'on', new RecordingSink());
});

test('destroying ends every stream', async () => {
  const thing = labThing();
  const sink = new RecordingSink();
  await open(thing, 'subscribeevent', 'flicker', sink);
  await thing.destroy();
  assert.deepEqual(
    sink.errors.map(({ code }) => code),
    ['thing-unknown'],
  );
});

test('what is emitted cannot be changed afterwards, not even before its turn', async () => {
  const thing = labThing({ title: 'T', events: { e: { data: { type: 'object' } } } });
  const first = { a: 1 };
  const second = { b: 1 };
  // The first waits for the schemas to be compiled.
  const waiting = thing.emitEvent('e', first);
  first.a = 2;
  await waiting;
  await thing.emitEvent('e', second);
  second.b = 2;
  const sink = new RecordingSink();
  await open(thing, 'subscribeevent', 'e', sink, { after: { run: 'id-1', seq: 0 } });
  assert.deepEqual(sink.values, [{ a: 1 }, { b: 1 }]);
});

test('a read that hangs delays later emissions without end neither in time nor in number', async () => {
  const controller = new AbortController();
  const thing = labThing(labLamp, { ownContext: () => labContext({ signal: controller.signal }) });
  thing.setPropertyReadHandler('level', () => new Promise(() => {}));
  const sink = new RecordingSink();
  await open(thing, 'observeproperty', 'level', sink);
  const hanging = assert.rejects(thing.emitPropertyChange('level'), { code: 'cancelled' });
  const waiting = Array.from({ length: 1023 }, (_, i) => thing.emitPropertyChange('level', i % 100));
  await assert.rejects(thing.emitPropertyChange('level', 1), { code: 'too-many' });
  await new Promise(setImmediate);
  controller.abort();
  await Promise.all([hanging, ...waiting]);
  assert.equal(sink.values.length, 1023);
});

test('a promise that rejects before its turn rejects its emission, and nothing else', async () => {
  const controller = new AbortController();
  const thing = labThing(labLamp, { ownContext: () => labContext({ signal: controller.signal }) });
  thing.setPropertyReadHandler('level', () => new Promise(() => {}));
  const hanging = assert.rejects(thing.emitPropertyChange('level'), { code: 'cancelled' });
  const emission = thing.emitPropertyChange('level', Promise.reject(new Error('broken')));
  const rejected = assert.rejects(emission, /broken/);
  // An unhandled rejection would fail the test here.
  await new Promise(setImmediate);
  controller.abort();
  await Promise.all([hanging, rejected]);
});

test('emissions keep the order of their calls, however long each takes to find its value', async () => {
  const how = fc.constantFrom('value', 'promise', 'function', 'read');
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(how, { minLength: 1, maxLength: 15 }),
      async (scheduler, ways) => {
        let reads: number[] = [];
        const thing = labThing({ title: 'T', properties: { x: { type: 'integer', observable: true } } });
        thing.setPropertyReadHandler('x', () => scheduler.schedule(Promise.resolve(reads.shift()!)));
        const sink = new RecordingSink();
        await open(thing, 'observeproperty', 'x', sink);
        reads = ways.flatMap((way, i) => (way === 'read' ? [i] : []));
        const emissions = ways.map((way, i) => {
          if (way === 'value') return thing.emitPropertyChange('x', i);
          if (way === 'promise') return thing.emitPropertyChange('x', scheduler.schedule(Promise.resolve(i)));
          if (way === 'function')
            return thing.emitPropertyChange('x', () => scheduler.schedule(Promise.resolve(i)));
          return thing.emitPropertyChange('x');
        });
        await scheduler.waitFor(Promise.all(emissions));
        assert.deepEqual(
          sink.values,
          ways.map((_, i) => i),
        );
      },
    ),
    { numRuns: 50 },
  );
});
