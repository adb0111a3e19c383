/**
 * `althing up`: this device's peer with its gateway and adapters, in the foreground until interrupted.
 * Relies on `peer/`, `gateway/` and the adapters; loads an adapter only where it is used.
 */
import { flushCompileCache } from 'node:module';
import type { Logger } from '../core/logger.ts';
import { startGateway } from '../gateway/server.ts';
import { createPeer } from '../peer/peer.ts';
import type { PeerApi } from '../peer/peer-api.ts';
import { homePaths } from '../store/home.ts';
import type { OptionValues, RunCommand } from './command-table.ts';
import { parseHostPort } from './host-port.ts';
import { aborted, interruption } from './interrupt.ts';
import { createHumanLogger, createJsonLogger, logLevel } from './log.ts';
import type { Output } from './output.ts';

const stopTimeoutMs = 2000;
const exitOfForcedStop = 143;

export const run: RunCommand = async ({ home, options, out }) => {
  const http = options.http === undefined ? undefined : parseHostPort(options.http, '--http');
  if (options.listen !== undefined) parseHostPort(options.listen, '--listen');
  for (const address of options.bootstrap ?? []) parseHostPort(address, '--bootstrap');
  const logger = await createLogger(out);
  const interrupted = interruption();
  await using running = new AsyncDisposableStack();
  interrupted.addEventListener('abort', () => forceStopLater(logger));

  const peer = await createPeer({ home, logger, ...peerOptions(options) });
  running.defer(() => peer.stop());
  const gateway = await startGateway(peer, {
    socketPath: homePaths(home).gatewaySocket,
    logger,
    ...(http && { http: { host: http.host || '127.0.0.1', port: http.port } }),
  });
  running.defer(() => gateway.close());
  if (options.system !== false) running.defer(await startSystem(peer, logger));
  running.defer(await startScripts(peer, options.things ?? [], home, logger));

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
  ...(bootstrap !== undefined && { bootstrap: [...bootstrap] }),
});

const startSystem = async (peer: PeerApi, logger: Logger): Promise<() => Promise<void>> => {
  const { startSystemAdapter } = await import('../adapters/system/system-adapter.ts');
  const adapter = await startSystemAdapter(peer.wotFor('program'), { logger });
  return () => adapter.stop();
};

/** One that fails is told in the log and tried again: it takes neither the peer nor the others along. */
const startScripts = async (
  peer: PeerApi,
  files: readonly string[],
  home: string,
  logger: Logger,
): Promise<() => Promise<void>> => {
  if (files.length === 0) return async () => {};
  const { startScript } = await import('../adapters/script/start-script.ts');
  const wot = peer.wotFor('script');
  const scripts = await Promise.all(
    files.map((file) => startScript(wot, file, { logger, protect: [home], keepTrying: true })),
  );
  return async () => {
    await Promise.all(scripts.map((script) => script.stop()));
  };
};

const tellReady = (peer: PeerApi, gateway: { socket: string; http: string | null }, out: Output): void => {
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
