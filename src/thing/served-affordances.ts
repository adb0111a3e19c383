/**
 * The affordances of an exposed Thing with all that serves them: handlers, gates for their data, emission logs.
 * Relies on a TD that was copied; `compile` prepares everything, so that serving a request waits for nothing.
 */
import { AlthingError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { DataGate } from './data-gate.ts';
import { EmissionLog } from './emission-log.ts';
import { isJsonContent } from './interaction-output.ts';
import { isPlainObject } from './plain-value.ts';
import type {
  ActionHandler,
  InteractionContext,
  PropertyReadHandler,
  PropertyWriteHandler,
  SubscriptionHandler,
} from './scripting-api.ts';
import type {
  ActionAffordance,
  Affordance,
  DataSchema,
  EventAffordance,
  PartialThingDescription,
  PropertyAffordance,
} from './thing-description.ts';
import { Turns } from './turns.ts';
import { compileUriVariables, type UriVariables, type UriVariablesChecker } from './uri-variables.ts';

interface Served {
  readonly name: string;
  /** Names it, to begin a sentence with: `The property "on" of "Lamp"`. */
  readonly what: string;
  checkVariables: UriVariablesChecker;
}

/** What streams need of an observable property or an event. */
export interface Emitter extends Served {
  readonly emitted: DataGate;
  readonly log: EmissionLog;
  /** Keeps emissions in order while one of them waits for its value. */
  readonly turns: Turns;
  onSubscribe?: SubscriptionHandler;
  onUnsubscribe?: SubscriptionHandler;
  /** Told every value that the Thing gave or took; only where it is the one value that reading gives to everybody. */
  readonly onKnown?: (value: unknown) => void;
}

export interface ServedProperty extends Emitter {
  readonly affordance: PropertyAffordance;
  readonly written: DataGate;
  onRead?: PropertyReadHandler;
  onWrite?: PropertyWriteHandler;
}

export interface ServedAction extends Served {
  readonly affordance: ActionAffordance;
  readonly input: DataGate;
  readonly output: DataGate;
  onInvoke?: ActionHandler;
}

export interface ServedEvent extends Emitter {
  readonly affordance: EventAffordance;
  readonly subscription: DataGate;
}

/** All affordances of one Thing, by kind and name. */
export class ServedAffordances {
  readonly title: string;
  readonly properties = new Map<string, ServedProperty>();
  readonly actions = new Map<string, ServedAction>();
  readonly events = new Map<string, ServedEvent>();
  /** The Thing's own `uriVariables`, for the operations on several properties. */
  checkThingVariables: UriVariablesChecker = notCompiled;
  readonly #thingVariables: Readonly<Record<string, DataSchema>>;
  #compiling: Promise<void> | undefined;
  #compiled = false;

  /**
   * @param run new for every start, for the streams' positions
   * @param onKnown told the values of readable properties without variables as they pass
   */
  constructor(
    td: PartialThingDescription,
    run: string,
    logger: Logger,
    onKnown?: (name: string, value: unknown) => void,
  ) {
    this.title = td.title;
    this.#thingVariables = variablesOf(td);
    const varies = Object.keys(this.#thingVariables).length > 0;
    for (const [name, affordance] of affordancesOf<PropertyAffordance>(td, 'properties')) {
      const what = `The property "${name}" of "${td.title}"`;
      const form = affordance.forms?.[0];
      const isKnowable =
        affordance.writeOnly !== true && !varies && Object.keys(variablesOf(affordance)).length === 0;
      this.properties.set(name, {
        ...{ name, what, affordance, checkVariables: notCompiled },
        written: new DataGate(what, affordance, !isJsonContent(form?.contentType)),
        emitted: new DataGate(what, affordance, answersBytes(affordance)),
        log: new EmissionLog(run, name, logger),
        turns: new Turns(),
        ...(isKnowable && onKnown && { onKnown: (value: unknown) => onKnown(name, value) }),
      });
    }
    for (const [name, affordance] of affordancesOf<ActionAffordance>(td, 'actions')) {
      const what = `The action "${name}" of "${td.title}"`;
      const form = affordance.forms?.[0];
      this.actions.set(name, {
        ...{ name, what, affordance, checkVariables: notCompiled },
        input: new DataGate(what, affordance.input, !isJsonContent(form?.contentType)),
        output: new DataGate(what, affordance.output, answersBytes(affordance)),
      });
    }
    for (const [name, affordance] of affordancesOf<EventAffordance>(td, 'events')) {
      const what = `The event "${name}" of "${td.title}"`;
      this.events.set(name, {
        ...{ name, what, affordance, checkVariables: notCompiled },
        subscription: new DataGate(what, affordance.subscription, false),
        emitted: new DataGate(what, affordance.data, answersBytes(affordance)),
        log: new EmissionLog(run, name, logger),
        turns: new Turns(),
      });
    }
  }

  /** Whether everything may be served. */
  get compiled(): boolean {
    return this.#compiled;
  }

  /** Compiles all schemas, once. Throws `td-invalid`. */
  compile(): Promise<void> {
    this.#compiling ??= this.#compile();
    return this.#compiling;
  }

  /** Throws `affordance-unknown`. */
  property(name: string | undefined): ServedProperty {
    return this.properties.get(name ?? '') ?? this.#unknown('property', name);
  }

  /** Throws `affordance-unknown`. */
  action(name: string | undefined): ServedAction {
    return this.actions.get(name ?? '') ?? this.#unknown('action', name);
  }

  /** Throws `affordance-unknown`. */
  event(name: string | undefined): ServedEvent {
    return this.events.get(name ?? '') ?? this.#unknown('event', name);
  }

  async #compile(): Promise<void> {
    for (const property of this.properties.values()) {
      await property.written.compile();
      await property.emitted.compile();
    }
    for (const action of this.actions.values()) {
      await action.input.compile();
      await action.output.compile();
    }
    for (const event of this.events.values()) {
      await event.subscription.compile();
      await event.emitted.compile();
    }
    for (const served of [...this.properties.values(), ...this.actions.values(), ...this.events.values()]) {
      const { affordance } = served as ServedProperty | ServedAction | ServedEvent;
      // TD 1.1, section 5.3.1.1: the Thing's variables hold for every affordance.
      served.checkVariables = await compileUriVariables({
        ...this.#thingVariables,
        ...variablesOf(affordance),
      });
    }
    this.checkThingVariables = await compileUriVariables(this.#thingVariables);
    this.#compiled = true;
  }

  #unknown(kind: string, name: string | undefined): never {
    throw new AlthingError(
      'affordance-unknown',
      `"${this.title}" has no ${kind} "${String(name).slice(0, 100)}".`,
    );
  }
}

/** The context that a handler gets: the asker's, with checked variables. Throws `uri-variable-invalid`. */
export const handlerContext = (
  check: UriVariablesChecker,
  given: UriVariables | undefined,
  context: InteractionContext,
): InteractionContext => {
  const uriVariables = check(given);
  return context.uriVariables === uriVariables
    ? context
    : {
        peer: context.peer,
        signal: context.signal,
        deadline: context.deadline,
        cause: context.cause,
        uriVariables,
      };
};

const notCompiled: UriVariablesChecker = () => {
  throw new AlthingError('internal', 'URI variables were checked before their schemas were compiled.');
};

/** Whatever is not an object is left out here: validation says what is wrong with it. */
const affordancesOf = <A extends Affordance>(td: PartialThingDescription, kind: string): [string, A][] =>
  isPlainObject(td[kind])
    ? Object.entries(td[kind]).filter((entry): entry is [string, A] => isPlainObject(entry[1]))
    : [];

const variablesOf = (holder: Readonly<Record<string, unknown>>): Readonly<Record<string, DataSchema>> =>
  isPlainObject(holder.uriVariables) ? (holder.uriVariables as Readonly<Record<string, DataSchema>>) : {};

/** TD 1.1, section 5.3.4.2: a form's response may have a content type of its own. */
const answersBytes = (affordance: Affordance): boolean => {
  const form = affordance.forms?.[0];
  const response = form?.response;
  return !isJsonContent((isPlainObject(response) ? response.contentType : undefined) ?? form?.contentType);
};
