/**
 * What a peer tells of itself as it happens: sessions, commands, Things, members.
 * Relies on its listeners to be few and quick; nothing is kept.
 */
import type { Activity } from '../core/api-shapes.ts';
import { AlthingError } from '../core/errors.ts';

const maxListeners = 64;

/** Fans activity out to whoever listens at the moment. */
export class ActivityFeed {
  readonly #listeners = new Set<(activity: Activity) => void>();

  /** Passes an activity on, or undefined while nobody listens, so that nothing need be composed. */
  get report(): ((activity: Omit<Activity, 'time'>) => void) | undefined {
    return this.#listeners.size > 0 ? (activity) => this.tell(activity) : undefined;
  }

  tell(activity: Omit<Activity, 'time'>): void {
    if (this.#listeners.size === 0) return;
    const stamped: Activity = { time: new Date().toISOString(), ...activity };
    for (const listener of this.#listeners) listener(stamped);
  }

  /** Throws `too-many` past 64 listeners. */
  listen(listener: (activity: Activity) => void): () => void {
    if (this.#listeners.size >= maxListeners)
      throw new AlthingError('too-many', `The activity has ${maxListeners} listeners already.`);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
