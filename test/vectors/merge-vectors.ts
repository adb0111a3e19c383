/**
 * Vectors of reconciliation: what a replica holds, what it is sent, and what it holds and reads afterwards.
 * Relies on the real replica over a store in memory; nothing in them depends on a clock or on chance.
 */
import { HybridClock } from '../../src/core/clock.ts';
import { thingIdOf } from '../../src/core/ids.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { IncomingRange } from '../../src/replica/incoming-range.ts';
import { origin, type Position, type SignedRecord } from '../../src/replica/record.ts';
import { Replica, type VectorEntry } from '../../src/replica/replica.ts';
import { ReplicaSummary } from '../../src/replica/vector-summary.ts';
import { nodeCrypto } from '../../src/store/node-crypto.ts';
import { foundedMs, inviteSigner, labFabric } from '../../src/testing/control-lab.ts';
import { MemoryStateStore } from '../../src/testing/memory-store.ts';
import { Author } from './author.ts';

const epoch = 1_800_000_000_000;

/** A range as it is sent, and whether it goes through the author's records from the beginning. */
interface Sent extends IncomingRange {
  readonly mend?: boolean;
}

interface Case {
  readonly name: string;
  readonly held: readonly SignedRecord[];
  readonly sent: readonly Sent[];
}

const rangeOf = (
  records: readonly SignedRecord[],
  change: { from?: Position; mend?: boolean } = {},
): Sent => {
  const last = records.at(-1)!;
  const to = { epoch: last.epoch, seq: last.seq };
  const raws = records.map(({ raw }) => raw);
  return { stream: last.stream, author: last.author, from: origin, to, records: raws, ...change };
};

const byHash = (a: SignedRecord, b: SignedRecord): number => (a.hash < b.hash ? -1 : 1);

const cases = (): Case[] => {
  const founder = new Author(labFabric, 0);
  const member = new Author(labFabric, 1);
  const stranger = new Author(labFabric, 2);
  const invite = inviteSigner(1).publicKey;
  const base = { type: 'invite', invite, role: 'member', uses: 3, expires: foundedMs + 1e9 };
  const control = [
    founder.sign('member', 'invite', base),
    founder.sign('member', 'x', {
      type: 'confirmation',
      invite,
      joiner: member.key,
      role: 'member',
      admitted: foundedMs,
    }),
    founder.sign('member', 'y', { type: 'of-a-later-version' }),
  ];
  const lamp = thingIdOf(member.id, 'lamp');
  const [card, first, second, tombstone] = [
    member.sign('peer', member.id, { name: 'a' }),
    member.sign('thing', lamp, { td: '1' }),
    member.sign('thing', lamp, { td: '2' }),
    member.sign('thing', lamp, null, { deleted: true }),
  ] as const;
  const newEpoch = member.sign('thing', lamp, { td: '3' }, { epoch: epoch + 10, seq: 1 });
  const valueBy = (author: Author, atMs: number) =>
    author.sign('value', 'shared', { by: author.id }, { atMs });
  const [early, late] = [valueBy(founder, 1000), valueBy(member, 9000)];
  const foreign = member.sign('peer', founder.id, { name: 'a lie' });
  const rule = member.sign('rule', 'r', { text: 'not its to write' });
  const thief = new Author(labFabric, 0);
  const stolen = [thief.sign('member', 'invite', base), thief.sign('member', 'z', { type: 'of-a-thief' })];
  const held = control;
  return [
    {
      name: 'an empty replica takes in control records first',
      held: [],
      sent: [rangeOf(control), rangeOf([card, first])],
    },
    {
      name: 'data of an author that does not belong yet is not kept',
      held: [],
      sent: [rangeOf([card, first])],
    },
    { name: "a stranger's records are not kept", held, sent: [rangeOf([stranger.sign('value', 'k', 1)])] },
    {
      name: 'a later record takes the slot of an earlier one',
      held,
      sent: [rangeOf([card, first]), rangeOf([second], { from: first })],
    },
    { name: 'what is known is known', held: [...held, card, first], sent: [rangeOf([card, first])] },
    { name: 'something before the range is missing', held, sent: [rangeOf([second], { from: first })] },
    {
      name: 'a control record whose predecessor is missing is not kept',
      held: control.slice(0, 1),
      sent: [rangeOf([control[2]!], { from: control[0]! })],
    },
    {
      name: 'a tombstone leaves nothing to read',
      held: [...held, first],
      sent: [rangeOf([tombstone], { from: first })],
    },
    {
      name: 'a new epoch stands above every seq of the old one',
      held: [...held, second],
      sent: [rangeOf([newEpoch], { from: second })],
    },
    { name: 'of two authors the later clock is read', held: [...held, early], sent: [rangeOf([late])] },
    { name: 'and the other way round', held: [...held, late], sent: [rangeOf([early])] },
    {
      name: "what is not its author's to write is kept and not read",
      held,
      sent: [rangeOf([foreign, rule])],
    },
    {
      name: 'of an admin every record counts that was signed for one position',
      held,
      sent: [
        rangeOf(stolen, { mend: true }),
        rangeOf([stolen[0]!, ...[control[1]!, stolen[1]!].sort(byHash)], { mend: true }),
      ],
    },
    {
      name: 'a hole is filled by going through from the beginning',
      held: [...held, newEpoch],
      sent: [rangeOf([card, newEpoch], { mend: true })],
    },
    {
      name: 'and what was replaced meanwhile does not come back',
      held: [...held, newEpoch],
      sent: [rangeOf([card, second, newEpoch], { mend: true })],
    },
  ];
};

const replicaOf = (held: readonly Uint8Array[]): Replica =>
  new Replica(held, {
    fabric: labFabric,
    signer: new Author(labFabric, 7).signer,
    crypto: nodeCrypto,
    clock: new HybridClock(() => foundedMs),
    now: () => foundedMs,
    store: new MemoryStateStore(),
    yieldTurn: async () => {},
    logger: silentLogger,
  });

const readCollections = ['peer', 'thing', 'value', 'rule'];

const entryText = ({ stream, author, epoch: at, seq }: VectorEntry): string =>
  `${stream} ${Buffer.from(author).toString('hex')} ${at} ${seq}`;

/** What becomes of ranges sent one after the other to a replica that holds some records. */
export const merged = async (held: readonly Uint8Array[], sent: readonly Sent[]) => {
  const replica = replicaOf(held);
  const outcomes: string[] = [];
  for (const { mend, ...range } of sent)
    outcomes.push(await replica.receive(range, { reach: mend ? 'all' : 'next' }));
  const vector = replica
    .vector()
    .filter((entry) => entry.epoch > 0)
    .sort((a, b) => (entryText(a) < entryText(b) ? -1 : 1));
  const reads = readCollections
    .flatMap((collection) => replica.list(collection))
    .map(({ collection, key, hash }) => ({ collection, key, hash }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1));
  return { outcomes, vector, reads, summary: new ReplicaSummary(replica, nodeCrypto).get() };
};

/** Each case with its result. */
export const mergeVectors = async () => {
  const told = [];
  for (const { name, held, sent } of cases()) {
    const raw = held.map((record) => record.raw);
    told.push({ name, held: raw, sent, ...(await merged(raw, sent)) });
  }
  return { fabric: labFabric.id, genesis: labFabric.bytes, cases: told };
};
