/**
 * `althing up`: this device's peer with its gateway and adapters, in the foreground until interrupted.
 * Relies on `peer/`, `gateway/` and the adapters; loads an adapter only where it is used.
 */
import { access } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { resolve } from 'node:path';
import { AlthingError } from '../core/errors.ts';
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
  const files = await scriptFiles(options.things ?? []);
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
  for (const file of files) running.defer(await startThings(peer, file, logger));

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

/** The absolute paths of the scripts. Throws `bad-option` for one that cannot be read. */
const scriptFiles = (files: readonly string[]): Promise<string[]> =>
  Promise.all(
    files.map(async (file) => {
      try {
        await access(file);
      } catch (error) {
        throw new AlthingError('bad-option', `--things ${file} cannot be read: ${(error as Error).message}.`, {
          cause: error,
        });
      }
      return resolve(file);
    }),
  );

const startSystem = async (peer: PeerApi, logger: Logger): Promise<() => Promise<void>> => {
  const { startSystemAdapter } = await import('../adapters/system/system-adapter.ts');
  const adapter = await startSystemAdapter(peer.wotFor('program'), { logger });
  return () => adapter.stop();
};

const startThings = async (peer: PeerApi, file: string, logger: Logger): Promise<() => Promise<void>> => {
  const { startScript } = await import('../adapters/script/script.ts');
  const script = await startScript(peer.wotFor('script'), file, { logger });
  return () => script.stop();
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
