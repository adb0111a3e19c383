/**
 * Tickets: the self-contained secret that lets its holder join a fabric, as an `althing:` URI.
 * Relies on the codec and base64url; the records inside stay raw, their reader verifies them.
 */
import { base64urlnopad } from '@scure/base';
import * as v from 'valibot';
import { concat, equalBytes } from '../core/bytes.ts';
import { decode, encode } from '../core/codec.ts';
import type { Crypto } from '../core/crypto.ts';
import { AlthingError } from '../core/errors.ts';

/** A member that a ticket names, with `host:port` addresses to try. */
export interface TicketPeer {
  readonly key: Uint8Array;
  readonly addresses: readonly string[];
}

/** What a ticket carries. */
export interface Ticket {
  /** The fabric's genesis bytes. */
  readonly genesis: Uint8Array;
  /** The signed invite, a raw record. */
  readonly invite: Uint8Array;
  /** Raw control records that prove the invite's signer; none where it is the founder. */
  readonly proof: readonly Uint8Array[];
  /** The invite's private seed, 32 bytes: whoever holds it may join. */
  readonly seed: Uint8Array;
  readonly peers: readonly TicketPeer[];
}

const version = 1;
const scheme = 'althing:';
const checksumSize = 4;
/** Longest ticket that is looked at, in characters. */
const maxTextLength = 16_384;

const sized = (min: number, max: number) =>
  v.pipe(
    v.instance(Uint8Array),
    v.check((bytes) => bytes.length >= min && bytes.length <= max, 'has the wrong size'),
  );

const ticketSchema = v.strictTuple([
  v.literal(version),
  sized(1, 1024),
  sized(65, 1024),
  v.pipe(v.array(sized(65, 1024)), v.maxLength(8)),
  sized(32, 32),
  v.pipe(
    v.array(
      v.strictTuple([sized(32, 32), v.pipe(v.array(v.pipe(v.string(), v.maxLength(80))), v.maxLength(8))]),
    ),
    v.maxLength(3),
  ),
]);

/**
 * A ticket as text: `althing:` + base64url of (CBOR [1, genesis, invite, proof, seed, [[key, addresses]]] + the first
 * 4 bytes of its SHA-256, which tell a slip of the pen from a forgery).
 */
export const encodeTicket = (ticket: Ticket, crypto: Crypto): string => {
  const body = encode([
    version,
    ticket.genesis,
    ticket.invite,
    ticket.proof,
    ticket.seed,
    ticket.peers.map((peer) => [peer.key, peer.addresses]),
  ]);
  return scheme + base64urlnopad.encode(concat(body, crypto.sha256(body).subarray(0, checksumSize)));
};

/** The ticket in a text; white space inside it is ignored. Throws `ticket-invalid`. Signatures are not looked at. */
export const decodeTicket = (text: string, crypto: Crypto): Ticket => {
  if (text.length > maxTextLength)
    throw new AlthingError('ticket-invalid', `A ticket has at most ${maxTextLength} characters.`);
  const tidy = text.replace(/\s+/g, '');
  if (!tidy.toLowerCase().startsWith(scheme))
    throw new AlthingError('ticket-invalid', 'A ticket starts with "althing:": copy it whole.');
  const bytes = decodeBase64(tidy.slice(scheme.length));
  const body = bytes.subarray(0, -checksumSize);
  if (!equalBytes(crypto.sha256(body).subarray(0, checksumSize), bytes.subarray(-checksumSize)))
    throw new AlthingError('ticket-invalid', 'The ticket is damaged or cut short: copy it whole.');
  const value = decode(body, 'ticket-invalid');
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] > version)
    throw new AlthingError('ticket-invalid', 'The ticket was made by a newer version: update Althing here.');
  const parsed = v.safeParse(ticketSchema, value);
  if (!parsed.success)
    throw new AlthingError('ticket-invalid', `The ticket is not well formed: ${parsed.issues[0].message}.`);
  const [, genesis, invite, proof, seed, peers] = parsed.output;
  return { genesis, invite, proof, seed, peers: peers.map(([key, addresses]) => ({ key, addresses })) };
};

const decodeBase64 = (text: string): Uint8Array => {
  try {
    const bytes = base64urlnopad.decode(text);
    if (bytes.length > checksumSize) return bytes;
  } catch (error) {
    throw new AlthingError('ticket-invalid', 'The ticket has characters that no ticket has: copy it whole.', {
      cause: error,
    });
  }
  throw new AlthingError('ticket-invalid', 'The ticket is empty: copy it whole.');
};
