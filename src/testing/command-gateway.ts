/**
 * A gateway over a fake peer at the place where commands of a home look for it: for tests of what commands say.
 * Relies on the test file's `after` to take everything down again.
 */
import { after } from 'node:test';
import { silentLogger } from '../core/logger.ts';
import { startGateway } from '../gateway/server.ts';
import { homePaths } from '../store/home.ts';
import { FakePeer } from './fake-peer.ts';
import { ProcessLab } from './process-lab.ts';

/** Starts it for all tests of one file. */
export const startCommandGateway = async (): Promise<{ lab: ProcessLab; home: string; peer: FakePeer }> => {
  const lab = new ProcessLab();
  const home = await lab.makeHome();
  const peer = new FakePeer();
  const gateway = await startGateway(peer, {
    socketPath: homePaths(home).gatewaySocket,
    logger: silentLogger,
  });
  after(async () => {
    await gateway.close();
    await lab.close();
  });
  return { lab, home, peer };
};
