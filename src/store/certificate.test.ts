import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { tlsIdentityOf } from './certificate.ts';
import { nodeCrypto, rawPublicKey } from './node-crypto.ts';

const seedOf = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

test('the certificate carries the key of the identity and is signed by it', () => {
  for (let fill = 0; fill < 64; fill++) {
    const certificate = new X509Certificate(tlsIdentityOf(seedOf(fill)).certPem);
    assert.deepEqual(rawPublicKey(certificate.publicKey), nodeCrypto.signer(seedOf(fill)).publicKey);
    assert.equal(certificate.verify(certificate.publicKey), true);
    assert.equal(certificate.checkIssued(certificate), true);
  }
});

test('the certificate names nobody and holds at any time a clock may show', () => {
  const certificate = new X509Certificate(tlsIdentityOf(seedOf(1)).certPem);
  assert.equal(certificate.subject, 'CN=althing');
  assert.equal(certificate.issuer, 'CN=althing');
  assert.equal(certificate.subjectAltName, undefined);
  assert.equal(Date.parse(certificate.validFrom), 0);
  assert.equal(new Date(certificate.validTo).getUTCFullYear(), 9999);
});

test('two keys give two serial numbers, one key always the same certificate', () => {
  const one = tlsIdentityOf(seedOf(1));
  assert.deepEqual(one, tlsIdentityOf(seedOf(1)));
  const serial = (fill: number) => new X509Certificate(tlsIdentityOf(seedOf(fill)).certPem).serialNumber;
  assert.notEqual(serial(1), serial(2));
});

test('mutual TLS 1.3 with it shows each side the key of the other', async (t) => {
  const options = (fill: number) => {
    const { certPem, keyPem } = tlsIdentityOf(seedOf(fill));
    return { cert: certPem, key: keyPem, minVersion: 'TLSv1.3', rejectUnauthorized: false } as const;
  };
  const server = createServer({ ...options(1), requestCert: true });
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const client = connect({ ...options(2), host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  t.after(() => client.destroy());
  await once(client, 'secureConnect');
  const [socket] = await accepted;
  t.after(() => socket.destroy());
  const shown = (side: TLSSocket) => rawPublicKey(side.getPeerX509Certificate()!.publicKey);
  assert.deepEqual(shown(client), nodeCrypto.signer(seedOf(1)).publicKey);
  assert.deepEqual(shown(socket), nodeCrypto.signer(seedOf(2)).publicKey);
  assert.equal(client.getProtocol(), 'TLSv1.3');
});

test('a seed of another length is refused', () => {
  assert.throws(() => tlsIdentityOf(new Uint8Array(33)), { code: 'bad-input' });
});
