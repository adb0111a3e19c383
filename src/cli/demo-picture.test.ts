/**
 * The promises of the demo's picture: it fits the terminal, says who is connected, and cannot be tampered with.
 * Relies on nothing but the picture.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { drawPicture, type View } from './demo-picture.ts';

const view: View = {
  devices: [
    { name: 'speaker', pid: 11, state: 'on', connected: [false, true, false], now: 'listens' },
    { name: 'lamp', pid: 12, state: 'on', connected: [true, false, false], now: 'on, 80 %' },
    { name: 'door', pid: undefined, state: 'off', connected: [false, false, false], now: '' },
  ],
  lines: Array.from({ length: 50 }, (_, i) => ({ time: '12:00:00', text: `line ${i}` })),
  commands: ['althing things --home /tmp/x'],
};

test('the picture names processes, connections, states, the newest lines, keys and commands', () => {
  const text = drawPicture(view, { columns: 100, rows: 20, colour: false });
  assert.equal(text.length, 20);
  assert.match(text[0]!, /2 devices, 1 direct connections/);
  assert.match(text[3]!, /^ 1 {2}speaker +11 +- ● · {3}listens$/);
  assert.match(text[5]!, /^ 3 {2}door +off +· · -/);
  assert.ok(text.includes(' 12:00:00  line 49'));
  assert.ok(!text.includes(' 12:00:00  line 0'));
  assert.match(text.join('\n'), /1-3 switches a device off .* q ends/);
  assert.ok(text.includes('   althing things --home /tmp/x'));
});

test('on any terminal no line is too wide and none too many, whatever devices say', () => {
  const said = fc.string({ unit: 'binary', maxLength: 300 });
  fc.assert(
    fc.property(fc.nat(200), fc.nat(60), fc.boolean(), said, (columns, rows, colour, text) => {
      const lines = [...view.lines, { time: '12:00:00', text }];
      const devices = view.devices.map((device) => ({ ...device, now: text }));
      const drawn = drawPicture({ ...view, devices, lines }, { columns, rows, colour });
      assert.ok(drawn.length <= rows);
      for (const line of drawn) {
        const bare = stripVTControlCharacters(line);
        assert.ok(bare.length <= Math.max(1, columns), bare);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        assert.doesNotMatch(bare, /[\u0000-\u001f\u007f-\u009f]/);
      }
    }),
  );
});
