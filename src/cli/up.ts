/**
 * `althing up`: this device's peer with its gateway and adapters, in the foreground until interrupted.
 * Relies on `peer/`, `gateway/` and the adapters; loads an adapter only where it is used.
 */
import { flushCompileCache } from 'node:module';
import type { ScriptHandle } from '../adapters/script/start-script.ts';
import type { SystemAdapter } from '../adapters/system/system-adapter.ts';
import type { Logger } from '../core/logger.ts';
import { startGateway } from '../gateway/server.ts';
import { createPeer } from '../peer/create-peer.ts';
import type { Peer } from '../peer/peer.ts';
import { homePaths } from '../store/home.ts';
import type { OptionValues, RunCommand } from './command.ts';
import { parseHostPort } from './host-port.ts';
import { aborted, interruption } from './interrupt.ts';
import { createHumanLogger, createJsonLogger, logLevel } from './log.ts';
import type { Output } from './output.ts';

const stopTimeoutMs = 2000;
const exitOfForcedStop = 143;

export const run: RunCommand = async ({ home, options, out }) => {
  if (options.http !== undefined) parseHostPort(options.http, '--http');
  if (options.listen !== undefined) parseHostPort(options.listen, '--listen');
  for (const address of options.bootstrap ?? []) parseHostPort(address, '--bootstrap');
  const logger = await createLogger(out);
  const left = new AbortController();
  const interrupted = AbortSignal.any([interruption(), left.signal]);
  interrupted.addEventListener('abort', () => forceStopLater(logger));

  // Ended from the last to the first. The peer comes before the adapters: their Things are then out of reach for a
  // while, where the fabric would forget them if the adapters took them back.
  await using running = new AsyncDisposableStack();
  const adapters = new Adapters(logger);
  running.defer(() => adapters.stop());
  const peer = await createPeer({ home, logger, ...peerOptions(options) });
  running.defer(() => peer.stop());
  const asked = options.http ?? peer.config.http;
  const http = asked === undefined ? undefined : parseHostPort(asked, '--http');
  const gateway = await startGateway(peer, {
    socketPath: homePaths(home).gatewaySocket,
    logger,
    onLeft: () => left.abort(),
    ...(http && { http: { host: http.host || '127.0.0.1', port: http.port } }),
  });
  running.defer(() => gateway.close());
  const started = adapters.start(peer, {
    system: options.system !== false,
    scripts: options.things ?? [],
    home,
  });
  await Promise.race([started, aborted(interrupted)]);
  if (!interrupted.aborted) {
    tellReady(peer, { socket: gateway.socket, http: gateway.http }, out);
    // A service is killed more often than it ends, and only an end would write the cache.
    flushCompileCache();
    await aborted(interrupted);
  }
  logger.info({}, 'stopping');
};

const createLogger = (out: Output): Logger | Promise<Logger> => {
  const level = logLevel(process.env);
  return process.stderr.isTTY && !out.json
    ? createHumanLogger(level, process.stderr, () => new Date())
    : createJsonLogger(level);
};

const peerOptions = ({ name, listen, mdns, bootstrap }: OptionValues) => ({
  ...(name !== undefined && { name }),
  ...(listen !== undefined && { listen }),
  ...(mdns !== undefined && { mdns }),
  ...(bootstrap !== undefined && { bootstrap }),
});

interface AdapterOptions {
  readonly system: boolean;
  readonly scripts: readonly string[];
  /** Kept from the scripts. */
  readonly home: string;
}

/** What brings Things in: the machine itself, and scripts. */
class Adapters {
  readonly #logger: Logger;
  readonly #starting: Promise<{ stop(): Promise<void> }>[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Starts them side by side, and lets the fabric forget Things of earlier runs once all are there. */
  async start(peer: Peer, { system, scripts, home }: AdapterOptions): Promise<void> {
    if (system) this.#starting.push(this.#startSystem(peer));
    const running = scripts.map((file) => this.#startScript(peer, file, home));
    this.#starting.push(...running);
    await Promise.all(this.#starting);
    // What a script has not exposed yet may still be one of its Things: nothing is forgotten then.
    const states = await Promise.all(running);
    if (states.every(({ state }) => state === 'running')) await peer.forgetUnexposed();
  }

  async #startSystem(peer: Peer): Promise<SystemAdapter> {
    const { startSystemAdapter } = await import('../adapters/system/system-adapter.ts');
    return startSystemAdapter(peer.wotFor('program', { trusted: true }), { logger: this.#logger });
  }

  /** A script that fails is told in the log and tried again: it takes neither the peer nor the others along. */
  async #startScript(peer: Peer, file: string, home: string): Promise<ScriptHandle> {
    const { startScript } = await import('../adapters/script/start-script.ts');
    return startScript(peer.wotFor('script'), file, {
      logger: this.#logger,
      protect: [home],
      keepTrying: true,
      onFailure: ({ script, message }) =>
        peer.report({ kind: 'script-failed', message: `${script}: ${message}` }),
    });
  }

  /** Ends them all. Called after the peer's end, so that taking back their Things fails, as it should. */
  async stop(): Promise<void> {
    const ends = await Promise.allSettled(this.#starting.map(async (adapter) => (await adapter).stop()));
    for (const end of ends)
      if (end.status === 'rejected')
        this.#logger.debug({ err: end.reason }, 'an adapter ended after its peer');
  }
}

const tellReady = (peer: Peer, gateway: { socket: string; http: string | null }, out: Output): void => {
  const { peer: id, name, fabric, fabricName, role, listen, version } = peer.self();
  out.answer({ ready: true, peer: id, name, fabric, listen, gateway }, () =>
    [
      `Althing ${version} is up.`,
      `  peer     ${name}  ${id}`,
      `  fabric   ${fabricName}  (${role})`,
      `  listens  ${listen.join(', ') || 'nowhere'}`,
      `  gateway  ${gateway.http ?? gateway.socket}`,
      'Let another device join: althing invite',
    ].join('\n'),
  );
};

/** Ends the process where a part does not stop in time: whoever asked must not wait for it. */
const forceStopLater = (logger: Logger): void => {
  setTimeout(() => {
    logger.warn({ timeoutMs: stopTimeoutMs }, 'not everything stopped in time');
    process.exit(exitOfForcedStop);
  }, stopTimeoutMs).unref();
};
