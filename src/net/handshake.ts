/**
 * How two ends of a channel come to trust each other: membership proofs both ways, or a ticket redeemed.
 * Relies on the channel for the keys; who belongs is asked of the fabric through `Gatekeeper`.
 */
import * as v from 'valibot';
import { equalBytes } from '../core/bytes.ts';
import { AlthingError, isDiskFailure, isErrorCode, toAlthingError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import type { Pass } from '../fabric/pass.ts';
import { maxPermitBytes, maxTicketProof } from '../fabric/ticket.ts';
import type { DoorLimit } from './door-limit.ts';
import type { FrameChannel } from './frame-channel.ts';
import { type Frame, frameType } from './frames.ts';

/** Protocol versions that this program speaks, lowest and highest. */
export const protocolVersions = [1, 1] as const;
/** What this program can do beyond version 1, for the other side to know. */
const features: readonly string[] = [];
/** A stranger has this long to say who it is. */
const handshakeTimeoutMs = 5000;

/** A stranger's claim to an invite. */
export interface Redemption {
  readonly invite: Uint8Array;
  readonly joiner: PeerId;
  /** The invite key's signature over the joiner's key. */
  readonly proof: Uint8Array;
  /** The invite and what proves its author, raw, as the ticket carries them: not every member knows them yet. */
  readonly records: readonly Uint8Array[];
}

/** Who is at the other end of a session, by what the handshake has shown. */
export type Visitor = { readonly kind: 'member' } | { readonly kind: 'pass'; readonly pass: Pass };

/** How a call at the door ended: a session may begin, or a ticket was redeemed and the channel has been closed. */
export type DoorOutcome = Visitor | { readonly kind: 'joined' };

/** A stranger's claim to a guest pass. */
export interface Presentation {
  /** The signed pass, raw. */
  readonly pass: Uint8Array;
  /** What proves the pass's issuer, raw, as the ticket carries it. */
  readonly records: readonly Uint8Array[];
  readonly presenter: PeerId;
  /** The pass key's signature over the presenter's key. */
  readonly proof: Uint8Array;
}

/** Who looks at guest passes. */
export interface PassDesk {
  /** Lets the holder of a pass in. Throws `ticket-invalid`, `proof-invalid`, `too-many`, the pass codes. */
  receive(presentation: Presentation): Promise<Visitor>;
}

/** What the door may rely on beside the fabric. */
export interface DoorOptions {
  /** Who looks at guest passes; without it none are taken. */
  readonly desk?: PassDesk;
  /** Bounds how often strangers are looked at; without it they are not bounded. */
  readonly limit?: DoorLimit;
}

/** What the fabric answers to the door. */
export interface Gatekeeper {
  readonly fabric: Uint8Array;
  /** Raw records that prove this peer's own membership. */
  proof(): readonly Uint8Array[];
  /** Whether `check` takes no thinking: a member by what is known here, or a stranger that shows nothing. */
  isPlain(peer: PeerId, proof: readonly Uint8Array[]): boolean;
  /** Throws `not-a-member`, `proof-invalid` where the peer does not belong by what is known and these records. */
  check(peer: PeerId, proof: readonly Uint8Array[]): void;
  /** Raw records that show that a peer is out for good, for it to see; none where that is not so. */
  farewell(peer: PeerId): readonly Uint8Array[];
  /** Another peer refused this one as being out for good, and showed these records for it. */
  dismissed(records: readonly Uint8Array[]): void;
  /** Admits a stranger durably; the raw records that prove it. Throws the invite codes. */
  admit(redemption: Redemption): Promise<readonly Uint8Array[]>;
}

const proofSchema = v.pipe(v.array(v.instance(Uint8Array)), v.maxLength(64));
const versionsSchema = v.tuple([v.pipe(v.number(), v.safeInteger()), v.pipe(v.number(), v.safeInteger())]);
const helloSchema = v.tuple([
  v.literal(frameType.hello),
  versionsSchema,
  v.instance(Uint8Array),
  proofSchema,
  v.array(v.string()),
]);
const welcomeSchema = v.tuple([
  v.literal(frameType.welcome),
  v.pipe(v.number(), v.safeInteger()),
  proofSchema,
  v.array(v.string()),
]);
/** An invite and the records that prove its author. */
const maxTicketRecords = maxTicketProof + 1;
const redeemSchema = v.tuple([
  v.literal(frameType.redeem),
  versionsSchema,
  v.instance(Uint8Array),
  v.instance(Uint8Array),
  v.instance(Uint8Array),
  v.optional(v.pipe(v.array(v.instance(Uint8Array)), v.maxLength(maxTicketRecords)), []),
]);
const presentSchema = v.tuple([
  v.literal(frameType.present),
  versionsSchema,
  v.instance(Uint8Array),
  v.pipe(v.instance(Uint8Array), v.maxLength(maxPermitBytes)),
  v.pipe(v.array(v.instance(Uint8Array)), v.maxLength(maxTicketProof)),
  v.instance(Uint8Array),
]);
const admittedSchema = v.tuple([v.literal(frameType.admitted), proofSchema]);
const refusalSchema = v.tuple([
  v.literal(frameType.refusal),
  v.string(),
  v.string(),
  v.optional(proofSchema, []),
]);

/** The dialler's part. Call it only with a channel to a key that was meant. Throws what the other side refused with. */
export const greet = async (frames: FrameChannel, gate: Gatekeeper): Promise<void> => {
  frames.send([frameType.hello, protocolVersions, gate.fabric, gate.proof(), features]);
  const answer = await answerOf(frames, (records) => gate.dismissed(records));
  const [, version, proof] = parse(welcomeSchema, answer, frames);
  checkChosen(version, frames);
  gate.check(frames.channel.remote, proof);
  frames.trust();
};

/** The joiner's part: redeems an invite and gives the raw records that prove the new membership. */
export const redeem = async (
  frames: FrameChannel,
  claim: { fabric: Uint8Array } & Omit<Redemption, 'joiner'>,
): Promise<readonly Uint8Array[]> => {
  const { fabric, invite, proof, records } = claim;
  frames.send([frameType.redeem, protocolVersions, fabric, invite, proof, records]);
  return parse(admittedSchema, await answerOf(frames), frames)[1];
};

/** The part of a guest pass's holder: a session within the pass's bounds begins when this resolves. */
export const present = async (
  frames: FrameChannel,
  claim: { fabric: Uint8Array } & Omit<Presentation, 'presenter'>,
): Promise<void> => {
  const { fabric, pass, records, proof } = claim;
  frames.send([frameType.present, protocolVersions, fabric, pass, records, proof]);
  const [, version] = parse(welcomeSchema, await answerOf(frames), frames);
  checkChosen(version, frames);
  frames.trust();
};

/**
 * The acceptor's part. Resolves with who came, when a session may begin or a ticket was redeemed; throws, with the
 * channel closed, for everybody else.
 */
export const answerDoor = async (
  frames: FrameChannel,
  gate: Gatekeeper,
  { desk, limit }: DoorOptions = {},
): Promise<DoorOutcome> => {
  const { remote, remoteAddress } = frames.channel;
  try {
    const frame = await nextFrame(frames, handshakeTimeoutMs);
    if (frame[0] === frameType.redeem) {
      const [, versions, fabric, invite, proof, shown] = parse(redeemSchema, frame, frames);
      agreeVersion(versions, frames);
      checkFabric(fabric, gate);
      limit?.take(remoteAddress);
      const records = await gate.admit({ invite, joiner: remote, proof, records: shown });
      frames.send([frameType.admitted, records]);
      frames.close();
      return { kind: 'joined' };
    }
    if (frame[0] === frameType.present && desk) {
      const [, versions, fabric, pass, records, proof] = parse(presentSchema, frame, frames);
      const version = agreeVersion(versions, frames);
      checkFabric(fabric, gate);
      limit?.take(remoteAddress);
      const visitor = await desk.receive({ pass, records, presenter: remote, proof });
      // The key that TLS proved says who serves the Things: a guest needs no other proof of this peer.
      frames.send([frameType.welcome, version, [], features]);
      frames.trust();
      return visitor;
    }
    const [, versions, fabric, proof] = parse(helloSchema, frame, frames);
    const version = agreeVersion(versions, frames);
    checkFabric(fabric, gate);
    if (!gate.isPlain(remote, proof)) limit?.take(remoteAddress);
    gate.check(remote, proof);
    frames.send([frameType.welcome, version, gate.proof(), features]);
    frames.trust();
    return { kind: 'member' };
  } catch (error) {
    const refusal = toAlthingError(error);
    // Our own faults are nobody else's business.
    const isOurs = refusal.code === 'internal' || isDiskFailure(refusal);
    const said = isOurs ? 'The peer could not answer.' : refusal.message;
    const shown = refusal.code === 'revoked' ? gate.farewell(remote) : [];
    frames.send([frameType.refusal, refusal.code, said, ...(shown.length > 0 ? [shown] : [])]);
    frames.close(refusal);
    throw refusal;
  }
};

const agreeVersion = ([low, high]: readonly [number, number], frames: FrameChannel): number => {
  const version = Math.min(high, protocolVersions[1]);
  if (version >= Math.max(low, protocolVersions[0])) return version;
  throw new AlthingError(
    'version-unsupported',
    `${frames.channel.remote} speaks protocol versions ${low} to ${high}, this peer ${protocolVersions.join(' to ')}.`,
  );
};

const checkChosen = (version: number, frames: FrameChannel): void => {
  if (version >= protocolVersions[0] && version <= protocolVersions[1]) return;
  throw new AlthingError(
    'version-unsupported',
    `${frames.channel.remote} chose protocol version ${version}.`,
  );
};

const checkFabric = (fabric: Uint8Array, gate: Gatekeeper): void => {
  if (!equalBytes(fabric, gate.fabric))
    throw new AlthingError('wrong-fabric', 'This peer belongs to another fabric.');
};

/** The other side's answer; its refusal is thrown as the error that it names. */
const answerOf = async (
  frames: FrameChannel,
  dismissed: (records: readonly Uint8Array[]) => void = () => {},
): Promise<Frame> => {
  const frame = await nextFrame(frames, handshakeTimeoutMs);
  if (frame[0] !== frameType.refusal) return frame;
  const [, code, message, records] = parse(refusalSchema, frame, frames);
  if (code === 'revoked' && records.length > 0) dismissed(records);
  throw new AlthingError(isErrorCode(code) ? code : 'protocol-error', message.slice(0, 500));
};

const parse = <Schema extends v.GenericSchema>(
  schema: Schema,
  frame: Frame,
  frames: FrameChannel,
): v.InferOutput<Schema> => {
  const parsed = v.safeParse(schema, frame);
  if (parsed.success) return parsed.output;
  throw new AlthingError(
    'protocol-error',
    `${frames.channel.remote} sent a frame of type ${frame[0]} that does not fit: ${parsed.issues[0].message}.`,
  );
};

/** The next frame; those after it are held for whoever takes over. */
const nextFrame = (frames: FrameChannel, timeoutMs: number): Promise<Frame> =>
  new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      frames.handle(undefined);
      frames.onClose = () => {};
    };
    const timer = setTimeout(() => {
      settle();
      reject(new AlthingError('timeout', `${frames.channel.remote} said nothing for ${timeoutMs} ms.`));
    }, timeoutMs);
    frames.onClose = (reason) => {
      settle();
      reject(
        reason ?? new AlthingError('connection-lost', `${frames.channel.remote} closed the connection.`),
      );
    };
    if (frames.closed) {
      frames.onClose(undefined);
      return;
    }
    frames.handle((frame) => {
      settle();
      resolve(frame);
    });
  });
