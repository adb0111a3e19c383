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
