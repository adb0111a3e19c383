/**
 * The asking side of the command bench: writes the lamp's property, and in turns asks the raw echo, from one process.
 * Relies on `command-lamp.ts` and `command-echo.ts`; says the times of each operation of a round.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { createPeer } from '../src/peer/create-peer.ts';
import { tlsIdentityOf } from '../src/store/certificate.ts';
import { waitFor } from '../src/testing/wait-for.ts';
import { cpuMicroseconds, type EchoSettings } from './command-messages.ts';

/** One round: how many operations, how many of them at once, and of which kind. */
export interface RoundRequest {
  readonly kind: 'command' | 'echo';
  readonly operations: number;
  readonly inFlight: number;
}

/** What a round gave. */
export interface RoundAnswer {
  /** Microseconds from asking to the answer, one for each operation. */
  readonly times: number[];
  /** Microseconds of the whole round. */
  readonly took: number;
  /** CPU time of this process, microseconds. */
  readonly cpu: number;
}

const [home = '', ticket = '', settings = ''] = process.argv.slice(2);

const startCommands = async () => {
  const peer = await createPeer({ home, name: 'asker', listen: '127.0.0.1:0', mdns: false });
  await peer.join(ticket);
  await waitFor(() => peer.things().some(({ title, online }) => title === 'Lamp' && online), {
    what: 'the lamp',
  });
  const lamp = await peer.wot.consume('lamp');
  let value = false;
  return (): Promise<void> => {
    value = !value;
    return lamp.writeProperty('on', value);
  };
};

const startEcho = async ({ port, requestBytes, responseBytes }: EchoSettings) => {
  const { certPem, keyPem } = tlsIdentityOf(randomBytes(32));
  const socket = connect({
    host: '127.0.0.1',
    port,
    cert: certPem,
    key: keyPem,
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_128_GCM_SHA256',
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  socket.setNoDelay(true);
  return (operations: number, inFlight: number): Promise<number[]> =>
    new Promise((resolve) => {
      const times: number[] = [];
      const begun: number[] = [];
      let held = 0;
      let left = operations;
      const send = (count: number): void => {
        left -= count;
        for (let i = 0; i < count; i++) {
          begun.push(performance.now());
          socket.write(Buffer.alloc(requestBytes));
        }
      };
      const onData = (bytes: Buffer): void => {
        held += bytes.length;
        const whole = Math.floor(held / responseBytes);
        held -= whole * responseBytes;
        const now = performance.now();
        for (let i = 0; i < whole; i++) times.push((now - begun.shift()!) * 1000);
        if (times.length === operations) {
          socket.off('data', onData);
          resolve(times);
        } else if (left > 0 && whole > 0) send(Math.min(whole, left));
      };
      socket.on('data', onData);
      send(Math.min(inFlight, left));
    });
};

const write = await startCommands();
const echo = await startEcho(JSON.parse(settings) as EchoSettings);

const command = async (operations: number, inFlight: number): Promise<number[]> => {
  const times: number[] = [];
  let left = operations;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const begun = performance.now();
      await write();
      times.push((performance.now() - begun) * 1000);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return times;
};

process.on('message', async ({ kind, operations, inFlight }: RoundRequest) => {
  const cpuBefore = cpuMicroseconds();
  const begun = performance.now();
  const times = await (kind === 'command' ? command : echo)(operations, inFlight);
  const took = (performance.now() - begun) * 1000;
  process.send!({ times, took, cpu: cpuMicroseconds() - cpuBefore } satisfies RoundAnswer);
});
process.send!('ready');
