import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlthingError } from '../core/errors.ts';
import { labContext, labLamp, labThing } from '../testing/thing-lab.ts';
import type { ExposedThing } from './exposed-thing.ts';
import type { RequestOperation, ThingCall } from './operations.ts';
import type { ActionStatus, InteractionContext } from './scripting-api.ts';

const ask = (
  thing: ExposedThing,
  op: RequestOperation,
  rest: Partial<ThingCall<RequestOperation>> = {},
  context = labContext(),
) => thing.request({ thing: thing.id, op, ...rest }, context);

test('a written value reaches the handler with who asks, and null comes back', async () => {
  const thing = labThing();
  let seen: unknown[] = [];
  thing.setPropertyWriteHandler('level', async (input, options) => {
    seen = [await input.value(), options.peer, options.cause.id, options.uriVariables];
  });
  const context = labContext();
  assert.equal(await ask(thing, 'writeproperty', { name: 'level', input: 7 }, context), null);
  assert.deepEqual(seen, [7, context.peer, 'cause-1', {}]);
});

test('a value is read as plain value, promise, function or function of a promise', async () => {
  for (const given of [7, Promise.resolve(7), () => 7, async () => 7]) {
    const thing = labThing().setPropertyReadHandler('level', () => given);
    assert.equal(await ask(thing, 'readproperty', { name: 'level' }), 7);
  }
});

test('input that does not fit the schema never reaches the handler', async () => {
  let calls = 0;
  const thing = labThing();
  thing.setPropertyWriteHandler('level', () => void calls++);
  thing.setActionHandler('fade', () => void calls++);
  thing.setActionHandler('toggle', () => void calls++);
  for (const input of [101, '7', 1.5, undefined, Number.NaN, null, { x: 1 }, Uint8Array.of(1)])
    await assert.rejects(ask(thing, 'writeproperty', { name: 'level', input }), { code: 'value-invalid' });
  for (const input of [undefined, null, {}, { to: 'x' }])
    await assert.rejects(ask(thing, 'invokeaction', { name: 'fade', input }), { code: 'value-invalid' });
  await assert.rejects(ask(thing, 'invokeaction', { name: 'toggle', input: 1 }), {
    code: 'value-invalid',
    message: /"toggle" of "Lamp" refuses the value: it takes no data/,
  });
  assert.equal(calls, 0);
});

test('a trusted Thing is exposed without its schemas, and serves nothing unchecked', async () => {
  let calls = 0;
  const thing = labThing(labLamp, { trusted: true });
  thing.setPropertyWriteHandler('level', () => void calls++);
  await thing.expose();
  const input = 101;
  await assert.rejects(ask(thing, 'writeproperty', { name: 'level', input }), { code: 'value-invalid' });
  const emitting = labThing(labLamp, { trusted: true });
  await emitting.expose();
  await assert.rejects(emitting.emitPropertyChange('level', input), { code: 'value-invalid' });
  assert.equal(calls, 0);
  const wrong = { ...labLamp, properties: { on: { type: 'nonsense' } } };
  await labThing(wrong, { trusted: true }).expose();
  await assert.rejects(labThing(wrong).expose(), { code: 'td-invalid' });
});

test('a result that does not fit the schema is the handler’s failure', async () => {
  for (const bad of [101, undefined, 'x', Number.NaN, Uint8Array.of(1)]) {
    const thing = labThing()
      .setPropertyReadHandler('level', () => bad)
      .setActionHandler('fade', async () => bad);
    await assert.rejects(ask(thing, 'readproperty', { name: 'level' }), { code: 'handler-failed' });
    if (bad === 101) continue;
    await assert.rejects(ask(thing, 'invokeaction', { name: 'fade', input: { to: 1 } }), {
      code: 'handler-failed',
    });
  }
});

test('a handler that throws fails with its message, an AlthingError with its code', async () => {
  const failing: [() => unknown, object][] = [
    [
      () => {
        throw new Error('bulb broken');
      },
      { code: 'handler-failed', message: 'The property "level" of "Lamp" failed: bulb broken' },
    ],
    [() => Promise.reject(new Error('bulb broken')), { code: 'handler-failed', message: /bulb broken/ }],
    [
      () => Promise.reject(new AlthingError('rate-limited', 'slowly')),
      { code: 'rate-limited', message: 'slowly' },
    ],
    [
      () => {
        throw undefined;
      },
      { code: 'handler-failed' },
    ],
  ];
  for (const [handler, expected] of failing)
    await assert.rejects(
      ask(labThing().setPropertyReadHandler('level', handler), 'readproperty', { name: 'level' }),
      expected,
    );
});

test('what the TD does not allow, declare or serve is refused with its own code', async () => {
  const thing = labThing();
  const cases: [RequestOperation, Partial<ThingCall<RequestOperation>>, string][] = [
    ['writeproperty', { name: 'serial', input: 'x' }, 'operation-unsupported'],
    ['readproperty', { name: 'pin' }, 'operation-unsupported'],
    ['queryaction', { name: 'toggle', input: 'x' }, 'operation-unsupported'],
    ['cancelaction', { name: 'toggle', input: 'x' }, 'operation-unsupported'],
    ['readproperty', { name: 'toString' }, 'affordance-unknown'],
    ['readproperty', {}, 'affordance-unknown'],
    ['writeproperty', { name: 'toggle', input: 1 }, 'affordance-unknown'],
    ['invokeaction', { name: 'on' }, 'affordance-unknown'],
    ['readproperty', { name: 'on' }, 'handler-missing'],
    ['writeproperty', { name: 'on', input: true }, 'handler-missing'],
    ['invokeaction', { name: 'toggle' }, 'handler-missing'],
    ['queryaction', { name: 'sunrise', input: 'id-9' }, 'action-unknown'],
    ['readproperty', { name: 'on', uriVariables: { a: '1' } }, 'uri-variable-invalid'],
    ['readmultipleproperties', { input: 'on' }, 'bad-input'],
    ['readmultipleproperties', { input: ['on', 3] }, 'bad-input'],
    ['writemultipleproperties', { input: [1] }, 'bad-input'],
    ['observeproperty' as RequestOperation, { name: 'on' }, 'operation-unsupported'],
  ];
  for (const [op, rest, code] of cases)
    await assert.rejects(ask(thing, op, rest), { code }, `${op} ${rest.name}`);
});

test('handlers that could never be called cannot be set', () => {
  const thing = labThing();
  assert.throws(() => thing.setPropertyReadHandler('pin', () => 1), { code: 'operation-unsupported' });
  assert.throws(() => thing.setPropertyWriteHandler('serial', () => {}), { code: 'operation-unsupported' });
  assert.throws(() => thing.setPropertyObserveHandler('color', () => {}), { code: 'operation-unsupported' });
  assert.throws(() => thing.setActionHandler('explode', () => {}), { code: 'affordance-unknown' });
  assert.throws(() => thing.setEventSubscribeHandler('on', () => {}), { code: 'affordance-unknown' });
});

test('URI variables reach the handler as values', async () => {
  let days: unknown;
  const thing = labThing().setPropertyReadHandler('forecast', ({ uriVariables }) => {
    days = uriVariables.days;
    return 20;
  });
  await ask(thing, 'readproperty', { name: 'forecast', uriVariables: { days: '3' } });
  assert.equal(days, 3);
  await assert.rejects(ask(thing, 'readproperty', { name: 'forecast', uriVariables: { days: '0' } }), {
    code: 'uri-variable-invalid',
  });
});

test('bytes pass where the content is not JSON', async () => {
  const thing = labThing();
  for (const given of [Uint8Array.of(1, 2), Uint8Array.of(1, 2).buffer]) {
    thing.setPropertyReadHandler('picture', () => given);
    assert.deepEqual(await ask(thing, 'readproperty', { name: 'picture' }), Uint8Array.of(1, 2));
  }
});

test('neither side can change what the other holds', async () => {
  const state = { r: 1 };
  const given = { r: 5 };
  let received: { r: number } | undefined;
  const thing = labThing()
    .setPropertyReadHandler('color', () => state)
    .setPropertyWriteHandler('color', async (input) => {
      received = (await input.value()) as { r: number };
    });
  const read = (await ask(thing, 'readproperty', { name: 'color' })) as { r: number };
  read.r = 99;
  await ask(thing, 'writeproperty', { name: 'color', input: given });
  given.r = 99;
  assert.deepEqual([state, received], [{ r: 1 }, { r: 5 }]);
});

test('a request ends when its asker gives up, whatever the handler does', async () => {
  const thing = labThing().setPropertyReadHandler('level', () => new Promise(() => {}));
  const reasons: [unknown, string][] = [
    [new AlthingError('timeout', 'late'), 'timeout'],
    [new DOMException('late', 'TimeoutError'), 'timeout'],
    [undefined, 'cancelled'],
    ['enough', 'cancelled'],
  ];
  for (const [reason, code] of reasons) {
    const controller = new AbortController();
    const answer = ask(thing, 'readproperty', { name: 'level' }, labContext({ signal: controller.signal }));
    const rejected = assert.rejects(answer, { code });
    await new Promise(setImmediate);
    controller.abort(reason);
    await rejected;
    await assert.rejects(
      ask(thing, 'readproperty', { name: 'level' }, labContext({ signal: controller.signal })),
      { code },
      'already aborted',
    );
  }
});

test('all readable properties that somebody serves are read together', async () => {
  const thing = labThing()
    .setPropertyReadHandler('on', () => true)
    .setPropertyReadHandler('level', async () => 3);
  assert.deepEqual(await ask(thing, 'readallproperties'), { on: true, level: 3 });
  assert.deepEqual(await ask(thing, 'readmultipleproperties', { input: ['level', 'level'] }), { level: 3 });
  await assert.rejects(ask(thing, 'readmultipleproperties', { input: ['level', 'serial'] }), {
    code: 'handler-missing',
  });
  await assert.rejects(ask(thing, 'readmultipleproperties', { input: ['level', 'pin'] }), {
    code: 'operation-unsupported',
  });
});

test('many properties are read at once without a warning about the signal', async () => {
  const names = Array.from({ length: 40 }, (_, i) => `p${i}`);
  const thing = labThing({
    title: 'Panel',
    properties: Object.fromEntries(names.map((name) => [name, { type: 'integer' }])),
  });
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on('warning', listen);
  for (const name of names) thing.setPropertyReadHandler(name, async () => 1);
  const values = (await ask(thing, 'readallproperties')) as object;
  await new Promise(setImmediate);
  process.off('warning', listen);
  assert.equal(Object.keys(values).length, 40);
  assert.deepEqual(warnings, []);
});

test('several properties are checked before any is written, and a failure says what was', async () => {
  const written: unknown[] = [];
  const thing = labThing();
  thing.setPropertyWriteHandler('level', async (input) => void written.push(await input.value()));
  thing.setPropertyWriteHandler('on', () => {
    throw new Error('stuck');
  });
  const write = (input: unknown) => ask(thing, 'writemultipleproperties', { input });
  await assert.rejects(write({ level: 1, on: 'yes' }), { code: 'value-invalid' });
  await assert.rejects(write({ level: 1, serial: 'x' }), { code: 'operation-unsupported' });
  await assert.rejects(write({ level: 1, nope: 1 }), { code: 'affordance-unknown' });
  assert.deepEqual(written, []);
  await assert.rejects(write({ level: 2, on: true }), (error: AlthingError) => {
    assert.equal(error.code, 'handler-failed');
    assert.match(error.message, /stuck Only level had been written/);
    assert.deepEqual(error.details, { written: ['level'] });
    return true;
  });
  assert.equal(await write({ level: 3 }), null);
  assert.deepEqual(written, [2, 3]);
});

test('an action answers with its output, or with null where it has none', async () => {
  const thing = labThing()
    .setActionHandler('toggle', () => {})
    .setActionHandler('fade', async (input) => ((await input.value()) as { to: number }).to);
  assert.equal(await ask(thing, 'invokeaction', { name: 'toggle' }), null);
  assert.equal(await ask(thing, 'invokeaction', { name: 'toggle', input: null }), null);
  assert.equal(await ask(thing, 'invokeaction', { name: 'fade', input: { to: 4 } }), 4);
});

test('a long-running action answers at once, outlives its asker, and can be asked for and cancelled', async () => {
  const work = Promise.withResolvers<string>();
  const contexts: InteractionContext[] = [];
  const thing = labThing().setActionHandler('sunrise', (_, options) => {
    contexts.push(options);
    return work.promise;
  });
  const asker = new AbortController();
  const context = labContext({ signal: asker.signal });
  const [first, second] = [
    (await ask(thing, 'invokeaction', { name: 'sunrise' }, context)) as ActionStatus,
    (await ask(thing, 'invokeaction', { name: 'sunrise' }, context)) as ActionStatus,
  ];
  asker.abort();
  assert.equal(first.status, 'running');
  assert.equal(await ask(thing, 'cancelaction', { name: 'sunrise', input: second.id }), null);
  assert.deepEqual(
    contexts.map(({ signal }) => signal.aborted),
    [false, true],
  );
  work.resolve('day');
  await new Promise(setImmediate);
  const states = await Promise.all(
    [first, second].map(({ id }) => ask(thing, 'queryaction', { name: 'sunrise', input: id })),
  );
  assert.deepEqual(
    states.map((state) => [(state as ActionStatus).status, (state as ActionStatus).output]),
    [
      ['completed', 'day'],
      ['cancelled', undefined],
    ],
  );
});

test('the output of a long-running action is checked too', async () => {
  const thing = labThing().setActionHandler('sunrise', () => 5);
  const { id } = (await ask(thing, 'invokeaction', { name: 'sunrise' })) as ActionStatus;
  const state = (await ask(thing, 'queryaction', { name: 'sunrise', input: id })) as ActionStatus;
  assert.equal(state.status, 'failed');
  assert.equal(state.error?.code, 'handler-failed');
});

test('exposing hands the Thing to its owner once and takes on the TD that the owner makes', async () => {
  let exposed = 0;
  const thing = labThing(labLamp, {
    onExpose: async (given) => {
      exposed++;
      return { ...given.getThingDescription(), id: 'urn:lab:lamp' };
    },
  });
  assert.equal(thing.id, '');
  await Promise.all([thing.expose(), thing.expose()]);
  assert.equal(exposed, 1);
  assert.equal(thing.id, 'urn:lab:lamp');
  (thing.getThingDescription() as { title: string }).title = 'Other';
  assert.equal(thing.getThingDescription().title, 'Lamp');
});

test('exposing that failed can be tried again', async () => {
  let attempts = 0;
  const thing = labThing(labLamp, {
    onExpose: async (given) => {
      if (++attempts === 1) throw new AlthingError('disk-full', 'full');
      return given.getThingDescription();
    },
  });
  await assert.rejects(thing.expose(), { code: 'disk-full' });
  await thing.expose();
});

test('a Thing with a schema that is none is not exposed', async () => {
  const thing = labThing({ title: 'Bad', properties: { x: { type: 'float' } } });
  await assert.rejects(thing.expose(), { code: 'td-invalid', message: /The property "x" of "Bad"/ });
  assert.throws(() => labThing({ title: 'Bad', made: new Date(0) }), { code: 'td-invalid' });
});

test('a destroyed Thing answers nothing, cancels what runs and tells its owner once', async () => {
  let destroyed = 0;
  let signal: AbortSignal | undefined;
  const thing = labThing(labLamp, { onDestroy: async () => void destroyed++ });
  thing.setActionHandler('sunrise', (_, options) => {
    signal = options.signal;
    return new Promise(() => {});
  });
  await thing.expose();
  await ask(thing, 'invokeaction', { name: 'sunrise' });
  await Promise.all([thing.destroy(), thing.destroy()]);
  assert.equal(destroyed, 1);
  assert.equal(signal?.aborted, true);
  await assert.rejects(ask(thing, 'readproperty', { name: 'on' }), { code: 'thing-unknown' });
  await assert.rejects(thing.emitEvent('flicker', 1), { code: 'thing-unknown' });
  await assert.rejects(
    labThing()
      .destroy()
      .then(() => thing.request({ thing: '', op: 'readallproperties' }, labContext())),
    {
      code: 'thing-unknown',
    },
  );
});

test('its owner is told what values were seen: of reads, writes and changes, not of what depends on the asker', async () => {
  const seen: unknown[] = [];
  const thing = labThing(labLamp, { onKnown: (_thing, name, value) => seen.push([name, value]) });
  thing.setPropertyReadHandler('on', async () => true);
  thing.setPropertyReadHandler('serial', () => 'x1');
  thing.setPropertyReadHandler('forecast', async () => 3);
  thing.setPropertyWriteHandler('pin', async () => {});
  thing.setPropertyWriteHandler('color', () => {});
  thing.setPropertyWriteHandler('on', async () => {
    throw new Error('stuck');
  });
  // What the device makes of a value is better known than what it was told.
  thing.setPropertyWriteHandler('level', async () => thing.emitPropertyChange('level', 100));
  await ask(thing, 'readproperty', { name: 'on' });
  await ask(thing, 'readmultipleproperties', { input: ['serial'] });
  await ask(thing, 'readproperty', { name: 'forecast', uriVariables: { days: 2 } });
  await ask(thing, 'writeproperty', { name: 'pin', input: '1234' });
  await ask(thing, 'writeproperty', { name: 'color', input: { r: 1 } });
  await assert.rejects(ask(thing, 'writeproperty', { name: 'on', input: false }));
  await ask(thing, 'writeproperty', { name: 'level', input: 99 });
  await thing.emitPropertyChange('on', false);
  assert.deepEqual(seen, [
    ['on', true],
    ['serial', 'x1'],
    ['color', { r: 1 }],
    ['level', 100],
    ['on', false],
  ]);
});

test('properties of a Thing that has variables itself are known to nobody but the asker', async () => {
  const seen: unknown[] = [];
  const td = { ...labLamp, uriVariables: { unit: { type: 'string' } } };
  const thing = labThing(td as never, { onKnown: (_thing, name) => seen.push(name) });
  thing.setPropertyReadHandler('on', () => true);
  await ask(thing, 'readproperty', { name: 'on' });
  assert.deepEqual(seen, []);
});
