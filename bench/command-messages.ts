/**
 * What the processes of the command bench say to each other over Node's IPC, and one answer a question.
 * Relies on both ends being ours: nothing is checked.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** Where the raw echo listens, and how many bytes go each way. */
export interface EchoSettings {
  readonly port: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** A process of the bench, asked one thing at a time. */
export class BenchProcess {
  readonly #child: ChildProcess;

  /** @param file beside this one; @param core the only CPU that it may run on, where that is to be fixed */
  constructor(file: string, args: readonly string[], core?: number) {
    this.#child = fork(new URL(file, import.meta.url), args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    if (core !== undefined)
      execFileSync('taskset', ['-a', '-c', '-p', String(core), String(this.#child.pid)], { stdio: 'ignore' });
  }

  /** What it says next. Rejects where it ends instead. */
  async next(): Promise<unknown> {
    const ended = new AbortController();
    const lost = once(this.#child, 'exit', { signal: ended.signal }).then(([code]) => {
      throw new Error(`A process of the bench ended with ${code}.`);
    });
    lost.catch(() => {
      // Told by the race, or given up with it.
    });
    try {
      const [said] = await Promise.race([once(this.#child, 'message'), lost]);
      return said;
    } finally {
      ended.abort();
    }
  }

  ask(question: unknown): Promise<unknown> {
    const answer = this.next();
    this.#child.send(question as object);
    return answer;
  }

  /** Ends it, and resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill(signal);
    await gone;
  }
}

/** Whether processes can be kept on one core (Linux, util-linux). */
export const canPlace = (): boolean => {
  try {
    execFileSync('taskset', ['-c', '-p', String(process.pid)], { stdio: 'ignore' });
    return availableParallelism() > 1;
  } catch {
    // Not Linux, or a small one: the kernel places the processes.
    return false;
  }
};

/** CPU time of this process so far, user and system, in microseconds. */
export const cpuMicroseconds = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
