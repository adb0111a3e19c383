/** The promise that why a Thing is as it is reads as a person would say it, however much or little is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutionInfo, LinkInfo, ObeyedInfo } from '../../core/rule-shapes.ts';
import { timeTextIn } from './why.ts';
import { whySentences } from './why-text.ts';

const time = '2026-11-25T17:02:11.400Z';
const words = {
  nameOf: (id: string) =>
    ({ 'urn:lamp': 'Hall lamp', 'urn:motion': 'Hall motion', 'urn:switch': 'Switch' })[id] ?? id,
  named: (text: string) => text.replaceAll('urn:lux', 'hall-lux'),
  timeText: timeTextIn('Europe/Berlin', Date.parse('2026-11-25T20:00:00Z')),
};
const link = (rule: string, peer: string): LinkInfo => ({ rule, firing: `stream/${rule}/1`, peer, time });
const command = (more: Partial<ObeyedInfo>): ObeyedInfo => ({
  thing: 'urn:lamp',
  op: 'writeproperty',
  name: 'on',
  input: true,
  time,
  peer: 'hall-sensor',
  origin: 'rule',
  began: 'hall-sensor',
  chain: [],
  outcome: 'ok',
  ...more,
});
const execution = (rule: string, name: string, more: Partial<ExecutionInfo>): ExecutionInfo => ({
  firing: `stream/${rule}/1`,
  rule,
  name,
  peer: 'hall-sensor',
  started: time,
  ended: null,
  trigger: {
    kind: 'property',
    id: '0',
    thing: 'urn:motion',
    peer: null,
    name: 'motion',
    value: true,
    goes: null,
  },
  chain: [],
  conditions: [],
  steps: [],
  outcome: 'running',
  message: null,
  ...more,
});
const why = (
  commands: ObeyedInfo[],
  executions: ExecutionInfo[] = [],
  unasked: { peer: string; name: string; code: string }[] = [],
) => whySentences({ thing: 'urn:lamp', commands, executions, unasked }, words);

test('a rule is said with what fired it, where it ran and what it saw', () => {
  const conditions: ExecutionInfo['conditions'] = [
    {
      text: 'thing("urn:lux").illuminance < 50',
      result: 'true',
      values: [{ what: 'urn:lux.illuminance', value: 12, ageMs: null }],
      message: null,
    },
  ];
  assert.deepEqual(
    why(
      [command({ chain: [link('light', 'hall-sensor')] })],
      [execution('light', 'Hall light on motion', { conditions })],
    ),
    [
      'Hall lamp was switched on (on = true) at 18:02:11 by the rule "Hall light on motion", which ran on hall-sensor because the motion of Hall motion became true.',
      'At that time hall-lux.illuminance was 12 (condition: thing("hall-lux").illuminance < 50).',
    ],
  );
});

test('a chain is followed to what began it, and a rule behind two commands is told of once', () => {
  const chain = [link('party', 'switch'), link('light', 'hall-sensor')];
  const sentences = why(
    [command({ chain }), command({ name: 'level', input: 40, chain })],
    [
      execution('light', 'Light', {}),
      execution('party', 'Party', {
        trigger: {
          kind: 'event',
          id: '0',
          thing: 'urn:switch',
          peer: null,
          name: 'pressed',
          event: 2,
          goes: null,
        },
      }),
    ],
  );
  assert.equal(sentences.length, 3);
  assert.equal(
    sentences[1],
    'That came from the rule "Party", which ran on switch because Switch said "pressed" (2) at 18:02:11.',
  );
  assert.match(sentences[2]!, /^Hall lamp had its level set to 40 at 18:02:11 by the rule "Light"/);
});

test('people, scripts and programs are said as such, and what failed as failed', () => {
  const say = (more: Partial<ObeyedInfo>) => why([command({ began: 'laptop', peer: 'laptop', ...more })])[0]!;
  assert.match(say({ origin: 'cli' }), /by somebody at the command line of laptop\.$/);
  assert.match(say({ origin: 'http' }), /by somebody over the gateway of laptop\.$/);
  assert.match(say({ origin: 'script', peer: 'speaker' }), /by a script on laptop, through speaker\.$/);
  assert.match(
    say({ origin: 'program', op: 'invokeaction', name: 'fade', input: { to: 0 } }),
    /^Hall lamp was told to fade with \{"to":0\} at 18:02:11 by the program on laptop\.$/,
  );
  assert.match(say({ origin: 'cli', outcome: 'handler-failed' }), /, but that failed \(handler-failed\)\.$/);
  assert.match(say({ origin: 'cli', time: '2026-11-24T22:59:00.000Z' }), /at 23:59:00 on 2026-11-24 by/);
});

test('what is not known is said: a device that could not be asked, an execution that is no longer kept', () => {
  assert.match(
    why([command({ chain: [link('light', 'hall-sensor')] })])[0]!,
    /by the rule "light", which ran on hall-sensor \(why, is not known any more\)\.$/,
  );
  assert.deepEqual(why([], [], [{ peer: 'x', name: 'attic', code: 'peer-offline' }]), [
    'attic could not be asked (peer-offline), so what only that device remembers is missing here.',
  ]);
  assert.match(why([])[0]!, /^Nothing that Hall lamp was told to do is remembered/);
});
