/**
 * How long a command takes: a property write between two processes, as a ratio to a raw TLS echo in the same run.
 * Relies on loopback alone; rounds of both kinds take turns, so that whatever else the machine does meets both.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeFrame, frameType } from '../src/net/frames.ts';
import type { RoundAnswer, RoundRequest } from './command-asker.ts';
import { BenchProcess, canPlace, type EchoSettings } from './command-messages.ts';
import { median, quantile, type Spread, spreadOf } from './statistics.ts';

/** How much is measured. */
export interface CommandBenchOptions {
  readonly rounds?: number;
  /** Operations in a round, for each number in flight. */
  readonly operations?: number;
}

/** One kind of operation, over all rounds. Times are microseconds. */
export interface OperationFigures {
  readonly median: Spread;
  readonly p99: Spread;
  /** A second, with that many in flight. */
  readonly rate: Spread;
  /** CPU time of both processes together for one operation. */
  readonly cpu: Spread;
}

/** Where the two processes run: how fast one wakes the other differs by more than anything that is measured here. */
export type Placement = 'two cores' | 'one core' | 'anywhere';

/** Commands beside echoes, with one number of them in flight. */
export interface CommandFigures {
  readonly placement: Placement;
  readonly inFlight: number;
  readonly command: OperationFigures;
  readonly echo: OperationFigures;
  /** Of each round's medians. */
  readonly ratio: Spread;
  /** Of the times that each round took as a whole. */
  readonly throughputRatio: Spread;
}

const inFlightNumbers = [1, 16];
const warmUpOperations = 6000;

/** The size of a write's frame and of its answer, as the asker will send them. */
const frameSizes = (): Omit<EchoSettings, 'port'> => {
  const peer = 'z6Mk'.padEnd(48, 'x');
  const cause = ['x'.repeat(36), 'program', peer];
  const thing = `urn:althing:${peer}:lamp`;
  const request = [
    frameType.request,
    10_000,
    'writeproperty',
    thing,
    'on',
    10_000,
    cause,
    null,
    true,
  ] as const;
  return {
    requestBytes: encodeFrame(request).length,
    responseBytes: encodeFrame([frameType.response, 10_000, null]).length,
  };
};

/** Measures. Takes about a minute. */
export const benchCommand = async (options: CommandBenchOptions = {}): Promise<CommandFigures[]> => {
  const placements: readonly Placement[] = canPlace() ? ['two cores', 'one core'] : ['anywhere'];
  const figures: CommandFigures[] = [];
  for (const placement of placements) figures.push(...(await benchPlaced(placement, options)));
  return figures;
};

/** The cores of the asking and of the answering processes. */
const cores: Readonly<Record<Placement, readonly [number?, number?]>> = {
  'two cores': [0, 1],
  'one core': [1, 1],
  anywhere: [],
};

const benchPlaced = async (placement: Placement, options: CommandBenchOptions): Promise<CommandFigures[]> => {
  const { rounds = 40, operations = 1500 } = options;
  const [askerCore, answererCore] = cores[placement];
  const dir = await mkdtemp(join(tmpdir(), 'althing-bench-'));
  const processes: BenchProcess[] = [];
  const start = (core: number | undefined, file: string, ...args: string[]): BenchProcess => {
    const started = new BenchProcess(file, args, core);
    processes.push(started);
    return started;
  };
  try {
    const sizes = frameSizes();
    const lamp = start(answererCore, './command-lamp.ts', join(dir, 'device'));
    await lamp.next();
    const { requestBytes, responseBytes } = sizes;
    const echo = start(answererCore, './command-echo.ts', String(requestBytes), String(responseBytes));
    const settings = JSON.stringify({ ...sizes, port: (await echo.next()) as number });
    const ticket = (await lamp.ask('invite')) as string;
    const asker = start(askerCore, './command-asker.ts', join(dir, 'asker'), ticket, settings);
    await asker.next();
    const figures: CommandFigures[] = [];
    for (const inFlight of inFlightNumbers) {
      const measure = (kind: RoundRequest['kind'], count = operations): Promise<Round> =>
        round(asker, kind === 'command' ? lamp : echo, { kind, operations: count, inFlight });
      await measure('command', warmUpOperations);
      await measure('echo', warmUpOperations);
      const commands: Round[] = [];
      const echoes: Round[] = [];
      for (let i = 0; i < rounds; i++) {
        // Each kind is first in every other round.
        if (i % 2 === 0) commands.push(await measure('command'));
        echoes.push(await measure('echo'));
        if (i % 2 === 1) commands.push(await measure('command'));
      }
      figures.push({
        placement,
        inFlight,
        command: figuresOf(commands),
        echo: figuresOf(echoes),
        ratio: spreadOf(commands.map((command, i) => command.median / echoes[i]!.median)),
        throughputRatio: spreadOf(commands.map((command, i) => echoes[i]!.rate / command.rate)),
      });
    }
    return figures;
  } finally {
    await Promise.all(processes.map((started) => started.stop()));
    await rm(dir, { recursive: true, force: true });
  }
};

interface Round {
  readonly median: number;
  readonly p99: number;
  readonly rate: number;
  readonly cpu: number;
}

const round = async (asker: BenchProcess, answerer: BenchProcess, request: RoundRequest): Promise<Round> => {
  const cpuBefore = (await answerer.ask('cpu')) as number;
  const { times, took, cpu } = (await asker.ask(request)) as RoundAnswer;
  const cpuThere = ((await answerer.ask('cpu')) as number) - cpuBefore;
  return {
    median: median(times),
    p99: quantile(times, 0.99),
    rate: (times.length / took) * 1e6,
    cpu: (cpu + cpuThere) / times.length,
  };
};

const figuresOf = (rounds: readonly Round[]): OperationFigures => ({
  median: spreadOf(rounds.map((each) => each.median)),
  p99: spreadOf(rounds.map((each) => each.p99)),
  rate: spreadOf(rounds.map((each) => each.rate)),
  cpu: spreadOf(rounds.map((each) => each.cpu)),
});
