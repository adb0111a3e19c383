/**
 * The `shadow` records of the Things that this peer exposes: what may be in them, and that they follow what changes.
 * Relies on the pace that `Shadows` keeps and on the replica of the fabric that the peer is in now.
 */
import { equalBytes } from '../core/bytes.ts';
import { stampMs } from '../core/clock.ts';
import { encode } from '../core/codec.ts';
import { isDiskFailure, toAlthingError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { isRestricted } from '../fabric/access.ts';
import type { Draft } from '../replica/draft.ts';
import { recordValue, type SignedRecord } from '../replica/record.ts';
import type { Replica } from '../replica/replica.ts';
import type { ThingDescription } from '../thing/thing-description.ts';
import { typesOf } from '../thing/thing-filter.ts';
import { readShadow, type ShadowValue, shadowValue } from './shadow-values.ts';
import { Shadows, type ShadowsOptions } from './shadows.ts';

export interface ThingShadowsOptions extends Pick<ShadowsOptions, 'now' | 'schedule'> {
  readonly replica: () => Replica;
  /** The description of a Thing that is exposed here now. */
  readonly exposed: (id: string) => ThingDescription | undefined;
  readonly logger: Logger;
}

/** Keeps the shadows of what is exposed here. */
export class ThingShadows {
  readonly #options: ThingShadowsOptions;
  readonly #shadows: Shadows;

  constructor(options: ThingShadowsOptions) {
    this.#options = options;
    this.#shadows = new Shadows({
      ...{ now: options.now, schedule: options.schedule },
      seed: (id) => {
        const record = this.#record(id);
        return record && { known: readShadow(record).known, writtenMs: stampMs(record.hlc) };
      },
      mayWrite: () => {
        const { authority, self } = options.replica();
        // A guest's records are held by nobody.
        return ['admin', 'member'].includes(authority.members.get(self)?.role ?? '');
      },
      write: async (ids) => {
        await options.replica().write(() => ids.flatMap((id) => this.#draft(id)));
      },
      failed: (error) => {
        // A fabric that is being left takes nothing more; the next one will.
        if (isDiskFailure(error) || toAlthingError(error).code === 'cancelled') return;
        options.logger.error({ err: error }, 'Last known values could not be written.');
      },
    });
  }

  /** A Thing that is exposed here was seen to have this value. */
  learn(id: string, property: string, value: unknown): void {
    this.#shadows.learn(id, property, value);
  }

  /** The Thing is no longer exposed: its record goes with that of the Thing. */
  forget(id: string): void {
    this.#shadows.forget(id);
  }

  /** The Thing goes on under another id, with what was known of it there. */
  move(from: string, to: string): void {
    this.#shadows.move(from, to);
  }

  /** Roles or restrictions may have changed, or the fabric: what these Things' shadows say may have to go or to come. */
  review(ids: Iterable<string>): void {
    for (const id of ids) {
      const isWritten = this.#record(id) !== undefined;
      if (this.#isSecret(id) ? isWritten : !isWritten && this.#shadows.known(id).size > 0)
        this.#shadows.mark(id);
    }
    this.#shadows.wake();
  }

  /** Writes what is not written yet. Nothing is learned afterwards. */
  close(): Promise<void> {
    return this.#shadows.close();
  }

  #draft(id: string): Draft[] {
    const td = this.#options.exposed(id);
    if (!td) return [];
    const record = this.#record(id);
    if (this.#isSecret(id))
      return record ? [{ collection: 'shadow', key: id, value: null, deleted: true }] : [];
    const value = shadowValue(this.#shadows.known(id), td);
    if (isEmpty(value) || (record && this.#says(record, value))) return [];
    return [{ collection: 'shadow', key: id, value }];
  }

  #record(id: string): SignedRecord | undefined {
    return this.#options.replica().get('shadow', id);
  }

  #says(record: SignedRecord, value: ShadowValue): boolean {
    return (
      record.authorId === this.#options.replica().self &&
      equalBytes(encode(recordValue(record)), encode(value))
    );
  }

  /** Records are everybody's to read: the state of a lock is not put into them. */
  #isSecret(id: string): boolean {
    const td = this.#options.exposed(id);
    return td !== undefined && isRestricted(this.#options.replica().authority, { id, types: typesOf(td) });
  }
}

const isEmpty = ({ properties, omitted }: ShadowValue): boolean =>
  Object.keys(properties).length === 0 && omitted === undefined;
