/**
 * What rules did at this peer: executions that are over, those that never began, newest first.
 * Relies on the store, which bounds them; those that commanded nothing are written together, a moment later.
 */
import type { ExecutionInfo } from '../../core/rule-shapes.ts';
import type { ExecutionFilter } from './rule-store.ts';
import type { RuleWorld } from './rule-world.ts';

const writeAfterMs = 2000;
/** What waits to be written; more than a rule may fire in that time is refused before. */
const maxWaiting = 500;
const defaultLimit = 50;

/** The memory of executions. */
export class Executions {
  readonly #world: Pick<RuleWorld, 'store' | 'schedule' | 'logger'>;
  /** Not written yet, oldest first, by firing. */
  readonly #waiting = new Map<string, ExecutionInfo>();
  #cancelWrite: (() => void) | undefined;

  constructor(world: Pick<RuleWorld, 'store' | 'schedule' | 'logger'>) {
    this.#world = world;
  }

  /** One that came to nothing: it is kept soon. */
  add(execution: ExecutionInfo): void {
    this.#waiting.set(execution.firing, execution);
    if (this.#waiting.size > maxWaiting) this.#waiting.delete(this.#waiting.keys().next().value!);
    this.#cancelWrite ??= this.#world.schedule(writeAfterMs, () => void this.flush());
  }

  /** Whether a firing was here before. */
  has(firing: string): boolean {
    return this.#waiting.has(firing) || this.#world.store.hasExecution(firing);
  }

  /** What fits, newest first; `running` are those that are not over. */
  list(filter: ExecutionFilter, running: readonly ExecutionInfo[] = []): ExecutionInfo[] {
    const { rule, firing, limit = defaultLimit } = filter;
    const found = new Map<string, ExecutionInfo>();
    for (const one of [...running, ...[...this.#waiting.values()].reverse()]) found.set(one.firing, one);
    for (const one of this.#world.store.executions(filter))
      if (!found.has(one.firing)) found.set(one.firing, one);
    return [...found.values()]
      .filter((one) => (rule ?? one.rule) === one.rule && (firing ?? one.firing) === one.firing)
      .sort((a, b) => (a.started < b.started ? 1 : a.started > b.started ? -1 : 0))
      .slice(0, limit);
  }

  /** Writes what waits. */
  async flush(): Promise<void> {
    this.#cancelWrite?.();
    this.#cancelWrite = undefined;
    const executions = [...this.#waiting.values()];
    if (executions.length === 0) return;
    try {
      await this.#world.store.write({ executions });
    } catch (error) {
      // What came to nothing is told, and not worth more than that where the disk fails.
      this.#world.logger.warn({ err: error }, 'What rules did could not be kept.');
    }
    for (const one of executions) if (this.#waiting.get(one.firing) === one) this.#waiting.delete(one.firing);
  }
}
