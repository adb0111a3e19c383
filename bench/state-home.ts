/**
 * Makes the home of a peer that holds a large fabric: many members, each with its Things, all records signed and real.
 * Relies on replicas in memory for the other members, whose records the home's own replica takes in as from sessions.
 */
import { readFile } from 'node:fs/promises';
import { HybridClock } from '../src/core/clock.ts';
import type { Signer } from '../src/core/crypto.ts';
import { peerIdOf, thingIdOf } from '../src/core/ids.ts';
import { silentLogger } from '../src/core/logger.ts';
import { joinProofBytes } from '../src/fabric/control.ts';
import { decodeFabric, type Fabric } from '../src/fabric/genesis.ts';
import { createPeer } from '../src/peer/create-peer.ts';
import type { StateStore } from '../src/replica/record-store.ts';
import { Replica } from '../src/replica/replica.ts';
import { homePaths } from '../src/store/home.ts';
import { parseKeyFile } from '../src/store/key-file.ts';
import { parseMembershipFile } from '../src/store/membership-file.ts';
import { nodeCrypto } from '../src/store/node-crypto.ts';
import { openStateStore } from '../src/store/state-store.ts';
import { MemoryStateStore } from '../src/testing/memory-store.ts';

const tdBytes = 2048;

/** A Thing Description of 2 KB. `round` changes its text. */
export const tdOf = (title: string, round: number) => {
  const td = {
    title,
    description: `round ${round} `,
    '@type': ['Light'],
    properties: { on: { type: 'boolean' }, level: { type: 'integer', minimum: 0, maximum: 100 } },
    actions: { toggle: {} },
  };
  return { ...td, description: td.description.padEnd(tdBytes - JSON.stringify(td).length, 'text ') };
};

/** The title of the n-th Thing of a member; its name is the slug of it. */
export const titleOf = (n: number): string => `Thing ${n}`;

const replicaOf = (
  fabric: Fabric,
  signer: Signer,
  store: StateStore,
  records: readonly Uint8Array[] = [],
): Replica =>
  new Replica(records, {
    fabric,
    signer,
    crypto: nodeCrypto,
    clock: new HybridClock(Date.now),
    now: Date.now,
    store,
    yieldTurn: () => new Promise((resolve) => setImmediate(resolve)),
    logger: silentLogger,
  });

/** Takes over all that `from` holds of one author. */
const takeOver = async (to: Replica, from: Replica, author: Signer): Promise<void> => {
  const id = peerIdOf(author.publicKey);
  for (const stream of ['control', 'data'] as const)
    for (;;) {
      const range = from.range(stream, id, to.position(stream, id), 128 * 1024);
      if (!range) break;
      const records = range.records.map(({ raw }) => raw);
      await to.receive({ ...range, stream, author: author.publicKey, records });
    }
};

/** Founds a fabric in `dir` with so many members beside the founder; all together have so many Things. */
export const makeLargeHome = async (dir: string, members: number, things: number): Promise<void> => {
  await (await createPeer({ home: dir, name: 'supplier', offline: true })).stop();
  const home = homePaths(dir);
  const seed = parseKeyFile('identity', await readFile(home.identityKey, 'latin1'))!;
  const facts = parseMembershipFile(await readFile(home.membership, 'latin1'))!;
  const fabric = decodeFabric(facts.genesis, nodeCrypto);
  const store = await openStateStore(home.stateDb);
  try {
    const founder = nodeCrypto.signer(seed);
    const own = replicaOf(fabric, founder, store, (await store.load()).records);
    const invite = nodeCrypto.signer(nodeCrypto.randomBytes(32));
    const authors = Array.from({ length: members }, () => nodeCrypto.signer(nodeCrypto.randomBytes(32)));
    const expires = Date.now() + 24 * 3600 * 1000;
    await own.write(() => [
      {
        collection: 'member',
        key: 'bench',
        value: { type: 'invite', invite: invite.publicKey, role: 'member', uses: members, expires },
      },
    ]);
    await own.write(() =>
      authors.map(({ publicKey }) => ({
        collection: 'member',
        key: peerIdOf(publicKey),
        value: {
          type: 'admission',
          invite: invite.publicKey,
          joiner: publicKey,
          proof: invite.sign(joinProofBytes(fabric.id, invite.publicKey, publicKey)),
        },
      })),
    );
    const perMember = things / (members + 1);
    for (const author of [founder, ...authors]) {
      const replica = author === founder ? own : replicaOf(fabric, author, new MemoryStateStore());
      if (replica !== own) await takeOver(replica, own, founder);
      const peer = peerIdOf(author.publicKey);
      for (let n = 0; n < perMember; n += 50)
        await replica.write(() =>
          Array.from({ length: Math.min(50, perMember - n) }, (_, i) => {
            const id = thingIdOf(peer, `thing-${n + i}`);
            const td = { '@context': 'https://www.w3.org/2022/wot/td/v1.1', id, ...tdOf(titleOf(n + i), 0) };
            return { collection: 'thing', key: id, value: { td: JSON.stringify(td) } };
          }),
        );
      if (replica !== own) await takeOver(own, replica, author);
    }
  } finally {
    await store.close();
  }
};
