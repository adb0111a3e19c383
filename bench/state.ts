/**
 * A fabric of 10,000 Things: what it costs a new member to get it all, to catch up, to start, and to hold it.
 * Relies on two real peers in processes of their own, with TLS between them on loopback.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeLargeHome } from './state-home.ts';

const things = 10_000;
const members = 19;
const changed = things / 100;

interface Measure {
  readonly atMs: number;
  readonly rssMb: number;
  readonly longestDelayMs: number;
  readonly wireMb: number;
}

/** What was measured. Times in ms, sizes in MB (10^6 bytes). */
export interface StateFigures {
  readonly things: number;
  readonly members: number;
  readonly storeMb: number;
  /** From the start of the process until the peer is ready, with all Things in its store. */
  readonly openMs: number;
  readonly openRssMb: number;
  readonly openDelayMs: number;
  /** From the order to join until the last Thing is there. */
  readonly bootstrapMs: number;
  readonly bootstrapWireMb: number;
  readonly bootstrapDelayMs: number;
  readonly supplierDelayMs: number;
  readonly bootstrapRssMb: number;
  /** From the start of a member's process that missed a change of 1 % until it has it; of that, after ready. */
  readonly catchUpMs: number;
  readonly catchUpAfterReadyMs: number;
  readonly catchUpWireMb: number;
  readonly catchUpDelayMs: number;
}

class BenchPeer {
  readonly #child: ChildProcess;

  constructor(home: string) {
    const script = fileURLToPath(new URL('./state-peer.ts', import.meta.url));
    this.#child = fork(script, [home], {
      env: { ...process.env, ALTHING_BENCH_SPAWNED: String(Date.now()) },
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
  }

  async next<T>(): Promise<T> {
    const [message] = (await once(this.#child, 'message')) as [T & { error?: string }];
    if (message.error !== undefined) throw new Error(message.error);
    return message;
  }

  ask<T>(order: object): Promise<T> {
    const answer = this.next<T>();
    this.#child.send(order);
    return answer;
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, 'exit');
    await this.ask({ op: 'stop' });
    await gone;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Runs it all once: some 20 s. */
export const benchState = async (): Promise<StateFigures> => {
  const dir = await mkdtemp(join(tmpdir(), 'althing-bench-'));
  const running: BenchPeer[] = [];
  const start = (home: string): BenchPeer => {
    const peer = new BenchPeer(join(dir, home));
    running.push(peer);
    return peer;
  };
  try {
    await makeLargeHome(join(dir, 'supplier'), members, things);
    const supplier = start('supplier');
    const opened = await supplier.next<Measure & { things: number }>();
    if (opened.things !== things) throw new Error(`The supplier has ${opened.things} Things.`);
    let member = start('member');
    await member.next();
    const { ticket } = await supplier.ask<{ ticket: string }>({ op: 'invite' });
    const before = await supplier.ask<Measure>({ op: 'measure' });
    const { allMs } = await member.ask<{ allMs: number }>({ op: 'join', ticket, things });
    const [atMember, atSupplier] = await Promise.all([
      member.ask<Measure>({ op: 'measure' }),
      supplier.ask<Measure>({ op: 'measure' }),
    ]);
    await member.stop();
    await supplier.ask({ op: 'change', round: 1, changed });
    const { wireMb } = await supplier.ask<Measure>({ op: 'measure' });
    member = start('member');
    const ready = await member.next<Measure>();
    await member.ask({ op: 'wait', changed });
    const [caughtUp, supplied] = await Promise.all([
      member.ask<Measure>({ op: 'measure' }),
      supplier.ask<Measure>({ op: 'measure' }),
    ]);
    const { size } = await stat(join(dir, 'supplier', 'state.db'));
    await Promise.all([member.stop(), supplier.stop()]);
    return {
      things,
      members: members + 1,
      storeMb: size / 1e6,
      openMs: opened.atMs,
      openRssMb: opened.rssMb,
      openDelayMs: opened.longestDelayMs,
      bootstrapMs: allMs,
      // Each counts what it let in, and either may have dialled.
      bootstrapWireMb: atSupplier.wireMb - before.wireMb + atMember.wireMb,
      bootstrapDelayMs: atMember.longestDelayMs,
      supplierDelayMs: atSupplier.longestDelayMs,
      bootstrapRssMb: atMember.rssMb,
      catchUpMs: caughtUp.atMs,
      catchUpAfterReadyMs: caughtUp.atMs - ready.atMs,
      catchUpWireMb: supplied.wireMb - wireMb + caughtUp.wireMb,
      catchUpDelayMs: caughtUp.longestDelayMs,
    };
  } finally {
    for (const peer of running) peer.kill();
    await rm(dir, { recursive: true, force: true });
  }
};
