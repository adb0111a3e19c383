/**
 * The gate through which one kind of data enters or leaves a Thing: a property's value, an action's input, and so on.
 * Relies on `copyPlain` and a compiled DataSchema; what has passed is a private copy that fits the schema.
 */
import { AlthingError } from '../core/errors.ts';
import { type Checker, compileSchema } from './data-schema.ts';
import { bytesIn, copyValue } from './interaction-output.ts';
import { type MeasuredCopy, measuredCopy } from './plain-value.ts';
import type { DataSchema } from './thing-description.ts';

/** One gate. `compile` has to have resolved before anything passes. */
export class DataGate {
  /** Names the data, to begin a sentence with: `The property "on" of "Lamp"`. */
  readonly #what: string;
  readonly schema: DataSchema | undefined;
  /** Whether bytes may pass, which no schema describes. */
  readonly #binary: boolean;
  #check: Checker | undefined;

  constructor(what: string, schema: DataSchema | undefined, binary: boolean) {
    this.#what = what;
    this.schema = schema;
    this.#binary = binary;
  }

  /** Makes the gate ready. Throws `td-invalid`. */
  async compile(): Promise<void> {
    try {
      this.#check = await compileSchema(this.schema);
    } catch (error) {
      throw new AlthingError('td-invalid', `${this.#what}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Data from outside. Throws `value-invalid`, `value-too-large`. */
  incoming(given: unknown): unknown {
    const value = this.#copied(() => copyValue(given, this.#binary));
    this.#refuse(this.#problemOf(value));
    return value;
  }

  /** As `incoming`, where there may be none: undefined and (without a schema that allows it) null are none. */
  optionalIncoming(given: unknown): unknown {
    if (this.schema === undefined && !this.#binary) {
      if (given !== undefined && given !== null) this.#refuse('it takes no data');
      return undefined;
    }
    if (given !== undefined) return this.incoming(given);
    if (this.#problemOf(null) !== undefined) this.#refuse('it needs data, none was given');
    return undefined;
  }

  /** Data from a handler. Throws `handler-failed`, `value-too-large`. */
  outgoing(given: unknown): unknown {
    try {
      return this.incoming(given);
    } catch (thrown) {
      throw blameHandler(thrown);
    }
  }

  /** As `outgoing`, where there may be none: then null. */
  optionalOutgoing(given: unknown): unknown {
    return given === undefined && this.#problemOf(null) === undefined ? null : this.outgoing(given);
  }

  /** Data that is emitted, and roughly its characters as JSON. Throws `value-invalid`, `value-too-large`. */
  emitted(given: unknown): MeasuredCopy {
    const bytes = this.#binary ? bytesIn(given) : undefined;
    const copy = bytes ? { value: bytes, size: bytes.length } : this.#copied(() => measuredCopy(given));
    this.#refuse(this.#problemOf(copy.value));
    return copy;
  }

  #copied<T>(copy: () => T): T {
    try {
      return copy();
    } catch (error) {
      const { code, message } = error as AlthingError;
      throw new AlthingError(code, `${this.#what} refuses the value: ${message}`, { cause: error });
    }
  }

  #problemOf(value: unknown): string | undefined {
    if (this.#check === undefined)
      throw new AlthingError('internal', `${this.#what} was used before its schema was compiled.`);
    return value instanceof Uint8Array ? undefined : this.#check(value);
  }

  #refuse(problem: string | undefined): void {
    if (problem !== undefined)
      throw new AlthingError('value-invalid', `${this.#what} refuses the value: ${problem}.`);
  }
}

/** What a handler gave is its Thing's fault, never the asker's. */
const blameHandler = (thrown: unknown): unknown =>
  thrown instanceof AlthingError && thrown.code === 'value-invalid'
    ? new AlthingError('handler-failed', `The handler's result does not fit. ${thrown.message}`, {
        cause: thrown,
      })
    : thrown;
