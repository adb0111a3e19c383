/**
 * How rules use Things from this peer: a member's rule does no more than its author may, whatever this peer may.
 * Relies on causes, which name the rule of each call; the device that is asked checks it again.
 */
import { AlthingError } from '../../core/errors.ts';
import type { ScopedThing } from '../../fabric/scope.ts';
import type { CallOptions, StreamSink, ThingCall, ThingConnector } from '../../thing/operations.ts';
import type { RuleBook } from './rule-book.ts';
import type { RuleThings } from './rule-world.ts';

/** A connector for the engine. Throws `forbidden` beside what the connector throws. */
export const authorsConnector = (
  connector: ThingConnector,
  book: Pick<RuleBook, 'permits'>,
  things: Pick<RuleThings, 'td'>,
): ThingConnector => {
  const isForbidden = (call: ThingCall, options: CallOptions): boolean => {
    const rule = options.cause?.step?.rule ?? options.cause?.chain?.at(-1)?.rule;
    // A run may go on for a moment when its rule is gone or no longer in force.
    return rule !== undefined && book.permits(rule, scopedThing(things, call.thing), call) !== true;
  };
  return {
    request: async (call, options = {}) => {
      if (isForbidden(call, options)) throw refusal(call);
      return connector.request(call, options);
    },
    stream: async (call, sink, options = {}) => {
      if (isForbidden(call, options)) throw refusal(call);
      const guarded: StreamSink = {
        // What its author may know may have changed since.
        next: (value, position) => {
          if (!isForbidden(call, options)) sink.next(value, position);
        },
        error: (error, position) => sink.error(error, position),
      };
      return connector.stream(call, guarded, options);
    },
  };
};

/** A Thing as permissions see it, by the description that the fabric has of it. */
export const scopedThing = ({ td }: Pick<RuleThings, 'td'>, id: string): ScopedThing => {
  const types = td(id)?.['@type'] ?? [];
  return { id, types: typeof types === 'string' ? [types] : types };
};

const refusal = ({ op, name, thing }: ThingCall): AlthingError =>
  new AlthingError('forbidden', `The author of the rule may not have it ${op} "${name}" of ${thing}.`);
