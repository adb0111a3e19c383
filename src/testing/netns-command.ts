/**
 * Commands of the network-namespace lab: run to their end, or started inside a namespace.
 * Relies on `ip` from iproute2.
 */
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { spawn } from 'node:child_process';
import { AlthingError } from '../core/errors.ts';

/** What a command wrote. */
export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
}

const maxOutputBytes = 1 << 20;

/** Runs a command to its end. Throws `internal` where it cannot start, fails, or exceeds `timeoutMs` (10 000). */
export const run = (
  command: string,
  args: readonly string[],
  options: { timeoutMs?: number; input?: string } = {},
): Promise<RunResult> =>
  new Promise((resolve, reject) => {
    const { timeoutMs = 10_000, input = '' } = options;
    const fail = (why: string, cause?: unknown): void =>
      reject(new AlthingError('internal', `"${[command, ...args].join(' ')}" ${why}`, { cause }));
    const child = spawn(command, args, { stdio: 'pipe', timeout: timeoutMs, killSignal: 'SIGKILL' });
    const out = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        if (out[name].length < maxOutputBytes) out[name] += text;
      });
    child.on('error', (error) => fail(`could not be started: ${error.message}.`, error));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(out);
      else fail(`failed with ${code ?? signal}: ${out.stderr.trim() || out.stdout.trim()}`);
    });
    // A command that does not read its input closes the pipe: its exit code is what counts.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });

/** Starts a process inside a namespace. */
export const spawnIn = (
  namespace: string,
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess => spawn('ip', ['netns', 'exec', namespace, command, ...args], options);
