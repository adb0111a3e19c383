import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SseParser } from './sse-parser.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test('every chunking of a stream gives the same messages', () => {
  const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replace(/[\r\n\0]/g, ''));
  const message = fc.record({ data: fc.array(line, { minLength: 1, maxLength: 3 }), event: line, id: line });
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 5 }),
      fc.constantFrom('\n', '\r', '\r\n'),
      fc.array(fc.nat({ max: 200 })),
      (messages, newline, cuts) => {
        const text = messages
          .map(({ data, event, id }) =>
            [
              `event: ${event}`,
              ': a comment',
              `id: ${id}`,
              ...data.map((part) => `data: ${part}`),
              '',
              '',
            ].join(newline),
          )
          .join('');
        const whole = bytes(text);
        const at = [...new Set(cuts.filter((cut) => cut < whole.length))].sort((a, b) => a - b);
        const parser = new SseParser();
        const seen = [0, ...at].flatMap((start, i) =>
          parser.push(whole.subarray(start, at[i] ?? whole.length)),
        );
        assert.deepEqual(
          seen,
          messages.map(({ data, event, id }) => ({ data: data.join('\n'), event: event || 'message', id })),
        );
      },
    ),
  );
});

test('comments, unknown fields and messages without data give nothing', () => {
  const parser = new SseParser();
  assert.deepEqual(parser.push(bytes(':\n\nretry: 5\n\nevent: level\n\nid: 7\n\ndata\n\n')), [
    { event: 'message', data: '', id: '7' },
  ]);
});

test('a message past the bound is refused, in one line or in many', () => {
  const refused = { code: 'protocol-error' };
  assert.throws(() => new SseParser(100).push(bytes(`data: ${'x'.repeat(200)}`)), refused);
  assert.throws(() => new SseParser(100).push(bytes('data: 12345678\n'.repeat(20))), refused);
  const parser = new SseParser(100);
  for (let i = 0; i < 50; i++) assert.equal(parser.push(bytes('data: 12345678\n\n')).length, 1);
});
