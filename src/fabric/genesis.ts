/**
 * The act that begins a fabric: its name, its founder, its recovery key; its hash is the fabric's id.
 * Relies on the codec and on SHA-256 passed in.
 */
import * as v from 'valibot';
import { decode, encode } from '../core/codec.ts';
import type { Crypto } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';

/** What a fabric begins with. Keys are 32-byte Ed25519 public keys; `created` is milliseconds since 1970. */
export interface Genesis {
  readonly name: string;
  readonly founder: Uint8Array;
  readonly recovery: Uint8Array;
  readonly created: number;
}

/** A genesis with the bytes that were hashed and the id that came of it. */
export interface Fabric {
  readonly genesis: Genesis;
  readonly bytes: Uint8Array;
  /** SHA-256 of `bytes`, 32 bytes. */
  readonly id: Uint8Array;
}

const keySchema = v.pipe(
  v.instance(Uint8Array),
  v.check((key) => key.length === 32, 'a key has 32 bytes'),
);

const genesisSchema = v.strictTuple([
  v.literal(1),
  v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  keySchema,
  keySchema,
  v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
]);

/** A new fabric. Throws `bad-input` for a name that is empty or longer than 64 characters. */
export const createFabric = (genesis: Genesis, crypto: Crypto): Fabric => {
  if (genesis.name.length < 1 || genesis.name.length > 64)
    throw new AlthingError(
      'bad-input',
      `A fabric's name has 1 to 64 characters, not ${genesis.name.length}.`,
    );
  const bytes = encode([1, genesis.name, genesis.founder, genesis.recovery, genesis.created]);
  return { genesis, bytes, id: crypto.sha256(bytes) };
};

/** The fabric of these genesis bytes: CBOR [1, name, founder, recovery, created]. Throws `ticket-invalid`. */
export const decodeFabric = (bytes: Uint8Array, crypto: Crypto): Fabric => {
  const parsed = v.safeParse(genesisSchema, decode(bytes, 'ticket-invalid'));
  if (!parsed.success)
    throw new AlthingError('ticket-invalid', `The genesis is not well formed: ${parsed.issues[0].message}.`);
  const [, name, founder, recovery, created] = parsed.output;
  return { genesis: { name, founder, recovery, created }, bytes, id: crypto.sha256(bytes) };
};
