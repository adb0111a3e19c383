/**
 * Certificates that no peer has: self-signed, around keys of other kinds. For tests of those who must refuse them.
 * Relies on `node:crypto` for keys and signatures, and on just enough DER (X.690) to write X.509 (RFC 5280).
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { TlsIdentity } from '../net/tls-channel.ts';

const der = (tag: number, ...contents: Uint8Array[]): Buffer => {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
};
const sequence = (...parts: Uint8Array[]): Buffer => der(0x30, ...parts);
const text = (tag: number, value: string): Buffer => der(tag, Buffer.from(value, 'ascii'));
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));

/** Signature algorithms: sha256WithRSAEncryption (RFC 4055), ecdsa-with-SHA256 (RFC 5758). */
const algorithms = {
  rsa: sequence(oid('2a864886f70d01010b'), der(0x05)),
  ec: sequence(oid('2a8648ce3d040302')),
};
const name = sequence(der(0x31, sequence(oid('550403'), text(0x0c, 'althing'))));
const validity = sequence(text(0x17, '700101000000Z'), text(0x18, '99991231235959Z'));

const selfSigned = (
  algorithm: Buffer,
  { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject },
): TlsIdentity => {
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const serial = createHash('sha256').update(spki).digest().subarray(0, 8);
  serial[0] = 1;
  const version = der(0xa0, der(0x02, Buffer.from([2])));
  const body = sequence(version, der(0x02, serial), algorithm, name, validity, name, spki);
  const signature = sign('sha256', body, privateKey);
  const certificate = sequence(body, algorithm, der(0x03, Buffer.from([0]), signature));
  return {
    certPem: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
    keyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
  };
};

/** A certificate around an RSA key of 2048 bits, or around a key on the curve P-256. */
export const foreignCertificate = (kind: 'rsa' | 'ec'): TlsIdentity =>
  kind === 'rsa'
    ? selfSigned(algorithms.rsa, generateKeyPairSync('rsa', { modulusLength: 2048 }))
    : selfSigned(algorithms.ec, generateKeyPairSync('ec', { namedCurve: 'P-256' }));
