/**
 * Tickets: the self-contained secret that lets its holder join a fabric or use some of its Things, as an `althing:` URI.
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
  /** Whether its holder may join, or is a guest of a fabric that it does not belong to. */
  readonly kind: 'invite' | 'pass';
  /** The fabric's genesis bytes. */
  readonly genesis: Uint8Array;
  /** The signed invite, a raw record; or the signed guest pass. */
  readonly permit: Uint8Array;
  /** Raw control records that prove the permit's signer; none where it is the founder and only admin. */
  readonly proof: readonly Uint8Array[];
  /** The permit's private seed, 32 bytes: whoever holds it may join, or be a guest. */
  readonly seed: Uint8Array;
  /** Members to begin with; for a pass those that carry the Things. */
  readonly peers: readonly TicketPeer[];
}

/** The number that a ticket begins with says its kind: programs that do not know it say that they are too old. */
const versions = { invite: 1, pass: 2 } as const;
/** Largest permit, in bytes. */
export const maxPermitBytes = 4096;
/** Most records that prove a permit's signer, and most peers that a ticket names. */
export const maxTicketProof = 64;
export const maxTicketPeers = 8;
const scheme = 'althing:';
const checksumSize = 4;
/** Longest ticket that is looked at, in characters. */
const maxTextLength = 32_768;

const sized = (min: number, max: number) =>
  v.pipe(
    v.instance(Uint8Array),
    v.check((bytes) => bytes.length >= min && bytes.length <= max, 'has the wrong size'),
  );

const ticketSchema = v.strictTuple([
  v.picklist([versions.invite, versions.pass]),
  sized(1, 1024),
  sized(65, maxPermitBytes),
  v.pipe(v.array(sized(65, 4096)), v.maxLength(maxTicketProof)),
  sized(32, 32),
  v.pipe(
    v.array(
      v.strictTuple([sized(32, 32), v.pipe(v.array(v.pipe(v.string(), v.maxLength(80))), v.maxLength(8))]),
    ),
    v.maxLength(maxTicketPeers),
  ),
]);

/**
 * A ticket as text: `althing:` + base64url of (CBOR [1 or 2, genesis, permit, proof, seed, [[key, addresses]]] + the
 * first 4 bytes of its SHA-256, which tell a slip of the pen from a forgery). Throws `value-too-large`.
 */
export const encodeTicket = (ticket: Ticket, crypto: Crypto): string => {
  const body = encode([
    versions[ticket.kind],
    ticket.genesis,
    ticket.permit,
    ticket.proof,
    ticket.seed,
    ticket.peers.map((peer) => [peer.key, peer.addresses]),
  ]);
  const text = scheme + base64urlnopad.encode(concat(body, crypto.sha256(body).subarray(0, checksumSize)));
  if (ticket.proof.length > maxTicketProof || text.length > maxTextLength)
    throw new AlthingError(
      'value-too-large',
      'The admins of this fabric have changed too often for a ticket to show how they came to be ones: begin a new fabric.',
    );
  return text;
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
  if (Array.isArray(value) && typeof value[0] === 'number' && value[0] > versions.pass)
    throw new AlthingError('ticket-invalid', 'The ticket was made by a newer version: update Althing here.');
  const parsed = v.safeParse(ticketSchema, value);
  if (!parsed.success)
    throw new AlthingError('ticket-invalid', `The ticket is not well formed: ${parsed.issues[0].message}.`);
  const [number, genesis, permit, proof, seed, peers] = parsed.output;
  return {
    kind: number === versions.pass ? 'pass' : 'invite',
    genesis,
    permit,
    proof,
    seed,
    peers: peers.map(([key, addresses]) => ({ key, addresses })),
  };
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
