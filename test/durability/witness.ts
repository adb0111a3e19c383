/**
 * A member that keeps every record it is ever shown, and notices two bodies for one position: what no peer may say.
 * Relies on a bare TLS channel and the frames of the protocol; it shares nothing with a replica but their encoding.
 */
import { equalBytes, fromHex } from '../../src/core/bytes.ts';
import { type PeerId, peerIdOf, publicKeyOf } from '../../src/core/ids.ts';
import { joinProofBytes } from '../../src/fabric/control.ts';
import { FrameChannel } from '../../src/net/frame-channel.ts';
import { type Frame, frameType } from '../../src/net/frames.ts';
import { protocolVersions, redeem } from '../../src/net/handshake.ts';
import { decodeSync, encodeSync } from '../../src/net/sync-frames.ts';
import { createTlsContext, dialTls, parseEndpoint } from '../../src/net/tls-channel.ts';
import { openTicket } from '../../src/peer/join.ts';
import type { IncomingRange } from '../../src/replica/incoming-range.ts';
import {
  comparePositions,
  openRecord,
  origin,
  type Position,
  type SignedRecord,
} from '../../src/replica/record.ts';
import type { RecordStream } from '../../src/replica/record-store.ts';
import { summaryGroups } from '../../src/replica/vector-summary.ts';
import { tlsIdentityOf } from '../../src/store/certificate.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

/** Where a peer is reached, as its ready line says it. */
export interface Watched {
  readonly fabric: string;
  readonly listen: readonly string[];
}

const pingMs = 500;
const streams: readonly RecordStream[] = ['control', 'data'];
const positionKey = (record: SignedRecord): string =>
  `${record.authorId} ${record.stream} ${record.epoch} ${record.seq}`;

/** One witness of one fabric, in session with one of its peers at a time. */
export class Witness {
  /** Every record seen, by author, stream and position. */
  readonly seen = new Map<string, SignedRecord>();
  /** Those that the peer in session has shown since `connect`. */
  shown: SignedRecord[] = [];
  /** What an author said twice and differently. */
  readonly contradictions: string[] = [];
  readonly #seed = nodeCrypto.randomBytes(32);
  readonly #tls = createTlsContext(tlsIdentityOf(this.#seed));
  #proof: readonly Uint8Array[] = [];
  #fabric: Uint8Array = new Uint8Array();
  #channel: FrameChannel | undefined;
  #pinging: NodeJS.Timeout | undefined;
  /** Where the peer in session says that each author stands. */
  #told = new Map<string, Position>();
  #welcome = false;
  #answer: ((range: IncomingRange, records: readonly SignedRecord[]) => void) | undefined;

  /** Joins by a ticket at a peer. Call `connect` then. */
  async join(peer: Watched, ticketText: string): Promise<void> {
    const { fabric, invite, records } = openTicket(ticketText, nodeCrypto);
    const { publicKey } = nodeCrypto.signer(this.#seed);
    const proof = invite.sign(joinProofBytes(fabric.id, invite.publicKey, publicKey));
    const channel = await this.#dial(peer);
    this.#proof = await redeem(channel, { fabric: fabric.id, invite: invite.publicKey, proof, records });
    channel.close();
  }

  /** Opens a session in place of the present one, and takes in all that its peer tells of from now on. */
  async connect(peer: Watched): Promise<void> {
    this.close();
    this.#fabric = fromHex(peer.fabric);
    this.shown = [];
    this.#told = new Map();
    this.#welcome = false;
    const channel = await this.#dial(peer);
    this.#channel = channel;
    channel.handle((frame) => this.#take(frame));
    channel.send([frameType.hello, protocolVersions, this.#fabric, this.#proof, []]);
    await waitFor(() => this.#told.size > 0, { what: () => `a vector (welcome: ${this.#welcome})` });
    this.#pinging = setInterval(() => channel.send([frameType.ping, 1]), pingMs);
  }

  /** All live records of an author that the peer in session holds, as far as it has told of them. */
  async fetch(author: PeerId): Promise<SignedRecord[]> {
    const found: SignedRecord[] = [];
    for (const stream of streams) {
      const goal = this.#told.get(`${stream} ${author}`);
      for (let from: Position = origin; goal && comparePositions(from, goal) < 0; ) {
        let to: Position | undefined;
        const asked = from;
        this.#answer = (range, records) => {
          const isIt = range.stream === stream && equalBytes(range.author, publicKeyOf(author));
          if (to || !isIt || comparePositions(range.from, asked) !== 0) return;
          to = range.to;
          found.push(...records);
        };
        this.#channel?.send(encodeSync({ kind: 'want', stream, author: publicKeyOf(author), from }));
        from = await waitFor(() => to, { what: `the ${stream} records of ${author}` });
        this.#answer = undefined;
      }
    }
    return found;
  }

  /** The epochs in which an author has written, as far as was seen. */
  epochsOf(author: string, stream: RecordStream): Set<number> {
    const records = [...this.seen.values()].filter((one) => one.authorId === author && one.stream === stream);
    return new Set(records.map(({ epoch }) => epoch));
  }

  close(): void {
    clearInterval(this.#pinging);
    this.#channel?.close(undefined, { abrupt: true });
    this.#channel = undefined;
  }

  async #dial({ listen }: Watched): Promise<FrameChannel> {
    const { signal } = new AbortController();
    const channel = new FrameChannel(
      await dialTls(parseEndpoint(listen[0]!), this.#tls, { timeoutMs: 60_000, signal }),
    );
    channel.trust();
    return channel;
  }

  #take(frame: Frame): void {
    const [type] = frame;
    if (type === frameType.welcome) {
      this.#welcome = true;
      // It holds nothing, so it is told of everything.
      const groups = Array.from({ length: summaryGroups }, () => null);
      this.#channel?.send(encodeSync({ kind: 'summary', groups }));
    }
    if (type === frameType.vector) {
      const message = decodeSync(frame);
      if (message.kind !== 'vector') return;
      for (const { stream, author, epoch, seq } of message.entries) {
        const key = `${stream} ${peerIdOf(author)}`;
        const before = this.#told.get(key) ?? origin;
        this.#told.set(key, { epoch, seq });
        // What was told before was asked for then; ranges that overlap do no harm here.
        this.#channel?.send(encodeSync({ kind: 'want', stream, author, from: before }));
      }
    }
    if (type !== frameType.records) return;
    const range = decodeSync(frame);
    if (range.kind !== 'records') return;
    // What is signed is not the question here, and checking thousands of signatures anew would take minutes.
    const records = range.records.map((raw) => openRecord(raw, this.#fabric, nodeCrypto, { trusted: true }));
    for (const record of records) this.#note(record);
    this.shown.push(...records);
    this.#answer?.(range, records);
    const goal = this.#told.get(`${range.stream} ${peerIdOf(range.author)}`);
    if (goal && comparePositions(range.to, goal) < 0)
      this.#channel?.send(
        encodeSync({ kind: 'want', stream: range.stream, author: range.author, from: range.to }),
      );
  }

  #note(record: SignedRecord): void {
    const key = positionKey(record);
    const before = this.seen.get(key);
    if (before && !equalBytes(before.raw, record.raw)) this.contradictions.push(key);
    this.seen.set(key, record);
  }
}
