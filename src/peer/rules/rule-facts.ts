/**
 * What this device knows of rules when one asks to command it: the rules and scenes in force, and its own Things.
 * Relies on the book and the directory; the parser of expressions is loaded when there is a rule, not before.
 */

import { type PeerId, slugOf } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { ScopedThing } from '../../fabric/scope.ts';
import type { Replica } from '../../replica/replica.ts';
import type { ReplicaChange } from '../../replica/replica-change.ts';
import type { Use } from '../../rules/expression-syntax.ts';
import type { Rule, Scene } from '../../rules/rule.ts';
import { type RuleFacts, runsAt } from '../../rules/rule-access.ts';
import { eachExpression } from '../../rules/rule-references.ts';
import type { ThingCall } from '../../thing/operations.ts';
import type { Directory } from '../directory.ts';
import { inBackground } from './in-background.ts';
import type { BookRule, RuleBook } from './rule-book.ts';

type Syntax = typeof import('../../rules/expression-syntax.ts');

/** The rules as a device meets them. */
export class KnownRules implements RuleFacts {
  readonly #replica: Replica;
  readonly #book: RuleBook;
  readonly #directory: Directory;
  readonly #logger: Logger;
  readonly #uses = new WeakMap<Rule, readonly Use[]>();
  #syntax: Syntax | undefined;
  #loading: Promise<void> | undefined;

  constructor(replica: Replica, book: RuleBook, directory: Directory, logger: Logger) {
    this.#replica = replica;
    this.#book = book;
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

  /** While the parser is being loaded: until then what expressions use is not known. */
  get loading(): Promise<void> | undefined {
    return this.#syntax ? undefined : this.#loading;
  }

  /** Whether a member is one that may come to run the rule, as far as it is known here. */
  isRunner(rule: string, peer: PeerId): boolean {
    // An admin could say so by writing the rule anew.
    const { self, authority } = this.#replica;
    if (peer === self || authority.members.get(peer)?.role === 'admin') return true;
    const known = this.#book.rule(rule);
    return known !== undefined && runsAt(this, known.rule, peer);
  }

  /** Whether the author of a rule may not have it make this call: then nobody may because of that rule. */
  forbids(rule: string, thing: ScopedThing, call: ThingCall): boolean {
    return this.#book.permits(rule, thing, call) === false;
  }

  recordsChanged({ records }: ReplicaChange): void {
    if (!this.#syntax && records.some(({ collection }) => collection === 'rule'))
      inBackground(this.#load(), { logger: this.#logger }, 'What rules use cannot be told.');
  }

  readonly rule = (key: string): BookRule | undefined => this.#book.rule(key);

  readonly scene = (name: string): Scene | undefined => this.#book.scene(slugOf(name))?.scene;

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
    this.#loading ??= import('../../rules/expression-syntax.ts').then(
      (syntax) => {
        this.#syntax = syntax;
      },
      (error: unknown) => {
        // As while the package is being replaced: the next rule that comes tries again, and until then none lets read.
        this.#loading = undefined;
        this.#logger.error({ err: error }, 'What expressions of rules use cannot be read.');
      },
    );
    return this.#loading;
  }
}
