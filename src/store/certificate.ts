/**
 * The TLS certificate of an identity: X.509 (RFC 5280) around its Ed25519 key (RFC 8410), signed by that key.
 * Relies on Ed25519 being deterministic: every start computes the same certificate, so none is kept or can go stale.
 */
import { sign } from 'node:crypto';
import { privateKeyObject, rawPublicKey } from './node-crypto.ts';

/** What `tls` takes as `cert` and `key`. */
export interface TlsIdentity {
  readonly certPem: string;
  readonly keyPem: string;
}

/** One DER element; the contents here stay under the 256 bytes that two forms of length can say. */
const der = (tag: number, ...contents: Uint8Array[]): Buffer => {
  const content = Buffer.concat(contents);
  const length = content.length < 128 ? [content.length] : [0x81, content.length];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
};

const sequence = (...parts: Uint8Array[]): Buffer => der(0x30, ...parts);
const bitString = (bits: Uint8Array): Buffer => der(0x03, Buffer.from([0]), bits);
const text = (tag: number, value: string): Buffer => der(tag, Buffer.from(value, 'ascii'));

/** TLS 1.3 (RFC 8446, 4.4.2) asks for version 3. */
const version3 = der(0xa0, der(0x02, Buffer.from([2])));
const ed25519 = sequence(der(0x06, Buffer.from([0x2b, 0x65, 0x70])));
/** CN=althing: the key is the name, so the certificate says nothing else about the peer. */
const name = sequence(der(0x31, sequence(der(0x06, Buffer.from([0x55, 0x04, 0x03])), text(0x0c, 'althing'))));
/** From 1970, where clocks without a battery start, to the date that RFC 5280, 4.1.2.5 gives for "no end". */
const validity = sequence(text(0x17, '700101000000Z'), text(0x18, '99991231235959Z'));

/** Positive, of fixed length and as unique as the key, as RFC 5280, 4.1.2.2 asks of a serial number. */
const serialOf = (publicKey: Uint8Array): Buffer => {
  const serial = Buffer.from(publicKey.subarray(0, 16));
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return der(0x02, serial);
};

const pem = (bytes: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;

/**
 * The certificate and the private key (PKCS #8) of a 32-byte seed, as PEM (RFC 7468): the same ones every time.
 * Throws `bad-input` for a seed of another length.
 */
export const tlsIdentityOf = (seed: Uint8Array): TlsIdentity => {
  const key = privateKeyObject(seed);
  const publicKey = rawPublicKey(key);
  const subjectPublicKey = sequence(ed25519, bitString(publicKey));
  const body = sequence(version3, serialOf(publicKey), ed25519, name, validity, name, subjectPublicKey);
  const certificate = sequence(body, ed25519, bitString(sign(null, body, key)));
  return { certPem: pem(certificate), keyPem: key.export({ format: 'pem', type: 'pkcs8' }) as string };
};
