/**
 * What a command is compared with: TLS 1.3 over TCP with the same kind of key and ciphers, and nothing on top.
 * Relies on messages of fixed size, so that it needs neither frames nor a codec.
 */
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { tlsIdentityOf } from '../src/store/certificate.ts';
import { cpuMicroseconds } from './command-messages.ts';

const [requestBytes = 0, responseBytes = 0] = process.argv.slice(2).map(Number);
const { certPem, keyPem } = tlsIdentityOf(randomBytes(32));
const server = createServer({
  cert: certPem,
  key: keyPem,
  minVersion: 'TLSv1.3',
  requestCert: true,
  rejectUnauthorized: false,
});
server.on('secureConnection', (socket) => {
  socket.setNoDelay(true);
  let held = 0;
  socket.on('data', (bytes) => {
    held += bytes.length;
    const whole = Math.floor(held / requestBytes);
    held -= whole * requestBytes;
    for (let i = 0; i < whole; i++) socket.write(Buffer.alloc(responseBytes));
  });
  socket.on('error', () => socket.destroy());
});
process.on('message', () => process.send!(cpuMicroseconds()));
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
