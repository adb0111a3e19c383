import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AlthingError } from '../../core/errors.ts';
import { checkChildMessage } from './script-message-schema.ts';

const refused = (error: unknown) => error instanceof AlthingError && error.code === 'protocol-error';

test('what the child sends is accepted as it is', () => {
  const messages = [
    { kind: 'request', id: 1, op: 'produce', params: { td: { title: 'Lamp', properties: {} } } },
    { kind: 'request', id: 2, op: 'emit', params: { thing: 1, what: 'event', name: 'bell' } },
    { kind: 'request', id: 3, op: 'use', params: { consumed: 4, use: 'readallproperties', options: {} } },
    { kind: 'notice', topic: 'handler', params: { thing: 1, handler: 'readProperty', name: 'on' } },
    { kind: 'result', id: 9, value: { on: true } },
    { kind: 'failure', id: 9, code: 'handler-failed', message: 'no' },
    { kind: 'cancel', id: 9 },
  ];
  for (const message of messages) assert.deepEqual(checkChildMessage(message), message);
});

test('a script passes on what led to its request, and commands nothing as a rule does', () => {
  const link = { rule: 'hall', firing: 'manual/hall/1', peer: 'peer', atMs: 1 };
  const cause = { id: 'c', origin: 'rule', peer: 'peer', chain: [link] };
  const using = (why: unknown) => ({
    ...{ kind: 'request', id: 3, op: 'use' },
    params: { consumed: 4, use: 'writeproperty', name: 'on', options: { cause: why }, value: true },
  });
  assert.deepEqual(checkChildMessage(using(cause)), using(cause));
  const step = { rule: 'hall', firing: 'manual/hall/1', step: '0', mode: 'single', clock: 7 };
  assert.throws(() => checkChildMessage(using({ ...cause, step })), refused);
  assert.throws(() => checkChildMessage(using({ ...cause, chain: Array(17).fill(link) })), refused);
  assert.throws(() => checkChildMessage(using({ ...cause, chain: [{ ...link, rule: '../x' }] })), refused);
});

test('malformed messages are refused', () => {
  const messages = [
    undefined,
    [],
    { kind: 'request', id: 1, op: 'shutdown', params: {} },
    { kind: 'request', id: -1, op: 'expose', params: { thing: 1 } },
    { kind: 'request', id: 1, op: 'expose', params: { thing: 1, extra: 1 } },
    { kind: 'request', id: 1, op: 'emit', params: { thing: 1, what: 'event', name: 'x'.repeat(300) } },
    { kind: 'failure', id: 1, code: 'no-such-code', message: '' },
    { kind: 'notice', topic: 'pong', params: { rssBytes: '1' } },
  ];
  for (const message of messages) assert.throws(() => checkChildMessage(message), refused);
});

test('whatever arrives, it is either accepted or a protocol error', () => {
  fc.assert(
    fc.property(
      fc.object({ key: fc.constantFrom('kind', 'id', 'op', 'topic', 'params', 'x') }),
      (message) => {
        try {
          checkChildMessage(message);
        } catch (error) {
          assert.ok(refused(error));
        }
      },
    ),
  );
});
