/**
 * What a rule says in YAML, as shapes: names of Things instead of ids, `5m` instead of milliseconds.
 * Relies on `rule.ts` for the bounds; the records that follow have the same structure.
 */
import { ruleLimits, ruleModes } from './rule.ts';
import type { Field, Shape } from './shape.ts';

const name: Shape = { kind: 'text', max: 100 };
const reference: Shape = { kind: 'text', max: 250 };
const expression: Shape = { kind: 'expression', max: ruleLimits.expressionLength };
const operand: Shape = { kind: 'operand', max: ruleLimits.expressionLength };
const duration: Shape = { kind: 'duration', minMs: 0, maxMs: ruleLimits.durationMs };
const positive: Shape = { kind: 'duration', minMs: 1, maxMs: ruleLimits.durationMs };
const hour = 3_600_000;

const thing: Field = { shape: reference, doc: 'a Thing: its name, peer/name, or id', required: true };
const property: Field = { shape: name, doc: 'the name of the property', required: true };
const forMs: Field = { shape: duration, doc: 'how long it must stay so before the rule fires', as: 'forMs' };
const goes: Field = {
  shape: { kind: 'choice', of: ['online', 'offline'] },
  doc: 'whether it comes or goes',
  required: true,
};

const event: Shape = {
  kind: 'object',
  fields: { thing, name: { shape: name, doc: 'the name of the event', required: true } },
};

const trigger: Shape = {
  kind: 'object',
  name: 'trigger',
  one: ['property', 'event', 'time', 'peer', 'thing', 'manual'],
  fields: {
    id: {
      shape: {
        kind: 'text',
        max: 40,
        pattern: '^[a-z][a-z0-9-]{0,39}$',
        hint: 'a short name of a-z, 0-9 and dashes',
      },
      doc: 'what trigger.id says in expressions',
    },
    property: {
      doc: 'a property changes, becomes a value or crosses a threshold',
      shape: {
        kind: 'object',
        one: ['changes', 'becomes', 'above', 'below'],
        only: { hysteresis: ['above', 'below'] },
        fields: {
          thing,
          name: property,
          changes: { shape: { kind: 'flag', only: true }, doc: 'on every new value' },
          becomes: { shape: { kind: 'plain' }, doc: 'when it becomes this value' },
          above: { shape: { kind: 'number' }, doc: 'when it rises above this' },
          below: { shape: { kind: 'number' }, doc: 'when it falls below this' },
          hysteresis: {
            shape: { kind: 'number', min: 0 },
            doc: 'how far it must come back before it can cross again',
          },
          for: forMs,
        },
      },
    },
    event: { shape: event, doc: 'a Thing emits an event' },
    time: {
      doc: "a time of day, a pattern or the sun, in the fabric's time zone",
      shape: {
        kind: 'object',
        one: ['at', 'cron', 'sun'],
        only: { offset: ['sun'] },
        fields: {
          at: {
            shape: {
              kind: 'text',
              max: 8,
              pattern: '^([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d)?$',
              hint: 'a time of day such as "22:30"',
            },
            doc: 'every day at this time',
          },
          cron: { shape: name, doc: 'five fields: minute, hour, day, month, weekday' },
          sun: { shape: { kind: 'choice', of: ['sunrise', 'sunset'] }, doc: 'when the sun rises or sets' },
          offset: {
            shape: { kind: 'duration', minMs: -12 * hour, maxMs: 12 * hour },
            doc: 'so much later, or earlier: -15m',
            as: 'offsetMs',
          },
        },
      },
    },
    peer: {
      doc: 'a device comes or goes',
      shape: {
        kind: 'object',
        fields: {
          name: { shape: reference, doc: 'the peer: its name or id', required: true },
          goes,
          for: forMs,
        },
      },
    },
    thing: {
      doc: 'a Thing comes or goes',
      shape: { kind: 'object', fields: { name: thing, goes, for: forMs } },
    },
    manual: { shape: { kind: 'flag', only: true }, doc: 'by hand only: althing rules run NAME' },
  },
};

const selection: Shape = {
  kind: 'object',
  name: 'selection',
  some: ['type', 'room', 'capability'],
  fields: {
    type: { shape: name, doc: 'Things of this @type' },
    room: { shape: name, doc: 'Things in this room' },
    capability: { shape: name, doc: 'Things that have an affordance of this name' },
    online: { shape: { kind: 'flag' }, doc: 'only those that can be reached now (or cannot)' },
  },
};

const target: Readonly<Record<string, Field>> = {
  thing: { shape: reference, doc: 'a Thing: its name, peer/name, or id' },
  every: { shape: selection, doc: 'all Things that fit, at once' },
  any: { shape: selection, doc: 'the nearest Thing that fits; if that refuses, the next' },
};
const oneTarget = ['thing', 'every', 'any'];

const steps = (): Shape => ({
  kind: 'list',
  name: 'steps',
  of: () => step,
  min: 1,
  max: ruleLimits.steps,
});
const stepsField = (doc: string): Field => ({
  doc,
  required: true,
  shape: { kind: 'list', name: 'steps', of: () => step, min: 1, max: ruleLimits.steps },
});

const retried = ['write', 'invoke', 'scene'];
const commands = [...retried, 'set'];
const step: Shape = {
  kind: 'object',
  name: 'step',
  one: [...commands, 'delay', 'wait', 'choose', 'repeat', 'parallel', 'stop'],
  only: { deadline: commands, retry: retried, onFailure: commands, else: ['choose'] },
  fields: {
    write: {
      doc: 'writes a property',
      shape: {
        kind: 'object',
        one: oneTarget,
        fields: {
          ...target,
          property,
          value: { shape: operand, doc: 'what to write, or { cel: ... }', required: true },
        },
      },
    },
    invoke: {
      doc: 'invokes an action',
      shape: {
        kind: 'object',
        one: oneTarget,
        fields: {
          ...target,
          action: { shape: name, doc: 'the name of the action', required: true },
          input: { shape: operand, doc: 'its input, or { cel: ... }' },
        },
      },
    },
    scene: { shape: name, doc: 'applies a scene' },
    set: {
      doc: 'sets a named value of the fabric: value("name") in expressions',
      shape: {
        kind: 'object',
        fields: {
          name: { shape: name, doc: 'its name', required: true },
          value: { shape: operand, doc: 'the value, or { cel: ... }', required: true },
        },
      },
    },
    delay: { shape: duration, doc: 'waits so long' },
    wait: {
      doc: 'waits until an expression is true or an event comes',
      shape: {
        kind: 'object',
        one: ['until', 'event'],
        fields: {
          until: { shape: expression, doc: 'an expression' },
          event: { shape: event, doc: 'an event of a Thing' },
          timeout: { shape: positive, doc: 'how long to wait at most', required: true, as: 'timeoutMs' },
          onTimeout: {
            shape: { kind: 'choice', of: ['stop', 'continue'] },
            doc: 'what to do then; stop if it says nothing',
          },
        },
      },
    },
    choose: {
      doc: 'takes the steps of the first that holds',
      shape: {
        kind: 'list',
        min: 1,
        max: ruleLimits.branches,
        of: () => ({
          kind: 'object',
          fields: {
            if: { shape: expression, doc: 'an expression', required: true },
            steps: stepsField('what to do then'),
          },
        }),
      },
    },
    else: { shape: steps(), doc: 'what to do where none holds' },
    repeat: {
      doc: 'takes steps again and again',
      shape: {
        kind: 'object',
        fields: {
          times: {
            shape: { kind: 'number', min: 1, max: ruleLimits.repeatTimes, whole: true },
            doc: 'how often at most',
            required: true,
          },
          while: { shape: expression, doc: 'only while this is true' },
          steps: stepsField('what to do each time'),
        },
      },
    },
    parallel: {
      doc: 'takes several lists of steps at once',
      shape: { kind: 'list', of: steps, min: 1, max: ruleLimits.branches },
    },
    stop: { shape: { kind: 'text', max: 200 }, doc: 'ends the run; says why' },
    deadline: {
      shape: { kind: 'duration', minMs: 1, maxMs: hour },
      doc: 'how long one try may take (10s)',
      as: 'deadlineMs',
    },
    retry: {
      doc: 'tries again after a failure that is certain',
      shape: {
        kind: 'object',
        fields: {
          times: {
            shape: { kind: 'number', min: 1, max: ruleLimits.retries, whole: true },
            doc: 'how often',
            required: true,
          },
          pause: { shape: duration, doc: 'how long to wait before', required: true, as: 'pauseMs' },
        },
      },
    },
    onFailure: {
      shape: { kind: 'either', list: steps, other: { kind: 'choice', of: ['stop', 'continue'] } },
      doc: 'stop (if it says nothing), continue, or steps to take before going on',
    },
  },
};

/** A rule as people write it. */
export const ruleShape: Shape = {
  kind: 'object',
  fields: {
    name: { shape: name, doc: 'what the rule is called', required: true },
    description: { shape: { kind: 'text', max: 1000 }, doc: 'what it is for' },
    enabled: { shape: { kind: 'flag' }, doc: 'false: it never fires' },
    mode: {
      shape: { kind: 'choice', of: ruleModes },
      doc: 'what a firing does while another one runs; single if it says nothing',
    },
    max: {
      shape: { kind: 'number', min: 1, max: ruleLimits.waiting, whole: true },
      doc: 'how many run (parallel) or wait (queued) at most; 10 if it says nothing',
    },
    maxPerMinute: {
      shape: { kind: 'number', min: 1, max: 6000, whole: true },
      doc: 'how often it may fire; 600 if it says nothing',
    },
    stale: {
      shape: duration,
      doc: 'how old a value may be that a device saw last, where it does not answer a condition; none if it says nothing',
      as: 'staleMs',
    },
    triggers: {
      shape: { kind: 'list', of: () => trigger, min: 1, max: ruleLimits.triggers },
      doc: 'what makes it fire: any of these',
      required: true,
    },
    conditions: {
      shape: { kind: 'list', of: () => expression, min: 0, max: ruleLimits.conditions },
      doc: 'expressions that must all be true',
    },
    steps: stepsField('what it does, one after the other'),
  },
};
