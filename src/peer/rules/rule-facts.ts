/**
 * What this device knows of rules when one asks to command it: the rules and scenes of admins, and its own Things.
 * Relies on the replica and the directory; the parser of expressions is loaded when there is a rule, not before.
 */

import { type PeerId, slugOf } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import { recordValue, type SignedRecord } from '../../replica/record.ts';
import type { Replica } from '../../replica/replica.ts';
import type { ReplicaChange } from '../../replica/replica-change.ts';
import type { Use } from '../../rules/expression-syntax.ts';
import { parseRule, parseScene, type Rule, type Scene } from '../../rules/rule.ts';
import type { RuleFacts } from '../../rules/rule-access.ts';
import { eachExpression } from '../../rules/rule-references.ts';
import type { Directory } from '../directory.ts';

type Syntax = typeof import('../../rules/expression-syntax.ts');

/** Rules by their records, read once. */
export class KnownRules implements RuleFacts {
  readonly #replica: Replica;
  readonly #directory: Directory;
  readonly #logger: Logger;
  readonly #rules = new WeakMap<SignedRecord, Rule | null>();
  readonly #scenes = new WeakMap<SignedRecord, Scene | null>();
  readonly #uses = new WeakMap<Rule, readonly Use[]>();
  #syntax: Syntax | undefined;
  #loading: Promise<void> | undefined;

  constructor(replica: Replica, directory: Directory, logger: Logger) {
    this.#replica = replica;
    this.#directory = directory;
    this.#logger = logger;
  }

  /** Makes ready for the rules that there are. */
  async start(): Promise<void> {
    for (const _rule of this.#replica.each('rule')) {
      await this.#load();
      return;
    }
  }

  recordsChanged({ records }: ReplicaChange): void {
    if (!this.#syntax && records.some(({ collection }) => collection === 'rule')) void this.#load();
  }

  readonly rule = (key: string): Rule | undefined =>
    read(this.#rules, this.#replica.get('rule', key), parseRule);

  readonly scene = (name: string): Scene | undefined =>
    read(this.#scenes, this.#replica.get('scene', slugOf(name)), parseScene);

  /** None before the parser is there: nothing is allowed that is not understood. */
  readonly uses = (rule: Rule): readonly Use[] => {
    const known = this.#uses.get(rule);
    if (known || !this.#syntax) return known ?? [];
    const { readExpression } = this.#syntax;
    const uses: Use[] = [];
    eachExpression(rule, (text) => {
      try {
        uses.push(...readExpression(text).uses.map(({ use }) => use));
      } catch (error) {
        // A record may hold what no peer of this version would have written: such an expression uses nothing.
        this.#logger.debug({ err: error, rule: rule.name }, 'An expression of a rule cannot be read.');
      }
    });
    this.#uses.set(rule, uses);
    return uses;
  };

  readonly speakerOf = (owner: PeerId): PeerId => this.#replica.authority.speakerOf(owner);

  readonly listed = (thing: string) => {
    const td = this.#directory.byId(thing);
    if (!td) return undefined;
    const { properties = {}, actions = {}, events = {} } = td;
    return {
      room: this.#directory.labels.of(thing).room,
      affordances: new Set([properties, actions, events].flatMap((kind) => Object.keys(kind))),
    };
  };

  #load(): Promise<void> {
    this.#loading ??= import('../../rules/expression-syntax.ts').then((syntax) => {
      this.#syntax = syntax;
    });
    return this.#loading;
  }
}

const read = <Value>(
  known: WeakMap<SignedRecord, Value | null>,
  record: SignedRecord | undefined,
  parse: (value: unknown) => Value | undefined,
): Value | undefined => {
  if (!record) return undefined;
  let value = known.get(record);
  if (value === undefined) {
    value = parse(recordValue(record)) ?? null;
    known.set(record, value);
  }
  return value ?? undefined;
};
