/**
 * The 24 words at work: a set of admins that the recovery key signs, in place of admins who are lost or stolen.
 * Relies on the replica of a member's device; the words are seen here and kept nowhere.
 */
import { equalBytes } from '../../core/bytes.ts';
import type { Crypto, Signer } from '../../core/crypto.ts';
import { AlthingError } from '../../core/errors.ts';
import type { RecoverInfo } from '../../core/governance-shapes.ts';
import type { PeerId } from '../../core/ids.ts';
import { adminSetId, recoveryBytes } from '../../fabric/admin-sets.ts';
import { seedOfWords } from '../../fabric/recovery.ts';
import type { Replica } from '../../replica/replica.ts';
import { nextSet, resignable, writeResigned } from './admin-changes.ts';

/**
 * Makes this peer an admin beside those to `keep`, and removes all others at the last record of theirs held here, those
 * to `revoke` from the fabric altogether; with `beforeMs` at the last record that they stamped before. A device that an
 * admin put out can do so, too: he may be a thief. Throws `bad-input` for words that are wrong or of another fabric, and
 * for peers that are no admins; `forbidden` on a guest's device; `revoked` on one that left or was replaced.
 */
export const recoverAdmins = async (
  replica: Replica,
  request: {
    readonly words: string;
    readonly keep: readonly PeerId[];
    readonly revoke: readonly PeerId[];
    readonly beforeMs?: number | undefined;
  },
  crypto: Crypto,
): Promise<RecoverInfo> => {
  const signer = await recoverySigner(replica, request.words, crypto);
  const { self, authority } = replica;
  const role = authority.members.get(self)?.role;
  const isOut = role === undefined;
  if (isOut && authority.gone.get(self)?.how !== 'revoked')
    throw new AlthingError(
      'revoked',
      'This device is out of the fabric: use the words on the device of a member.',
    );
  if (role === 'guest')
    throw new AlthingError(
      'forbidden',
      'A guest holds none of the records: use the words on the device of a member.',
    );
  const { keep, revoke } = request;
  for (const peer of [...keep, ...revoke])
    if (!authority.admins.has(peer))
      throw new AlthingError(
        'bad-input',
        `${peer} is no admin: only admins are kept or put out by the words.`,
      );
  const both = keep.find((peer) => revoke.includes(peer));
  if (both !== undefined || revoke.includes(self))
    throw new AlthingError('bad-input', `${both ?? self} cannot both stay an admin and be put out.`);

  const staying = new Set([self, ...keep]);
  const removed = [...authority.admins].filter((peer) => !staying.has(peer));
  const copies = resignable(replica, removed);
  // One that is out has no word before it is an admin, and must not lose the records meanwhile.
  if (!isOut) await writeResigned(replica, copies);
  await replica.write(() => {
    const content = nextSet(replica, {
      add: [self],
      remove: [...replica.authority.admins]
        .filter((peer) => !staying.has(peer))
        .map((peer) => ({ peer, out: revoke.includes(peer) })),
      beforeMs: request.beforeMs,
    });
    const recovery = signer.sign(recoveryBytes(replica.fabric, content));
    const value = { type: 'proposal', ...content, recovery };
    return [{ collection: 'adminset', key: adminSetId(content, crypto), value }];
  });
  if (isOut) await writeResigned(replica, copies);
  return { admins: [...replica.authority.admins], removed, revoked: [...revoke] };
};

const recoverySigner = async ({ fabric }: Replica, words: string, crypto: Crypto): Promise<Signer> => {
  const signer = crypto.signer(await seedOfWords(words));
  if (equalBytes(signer.publicKey, fabric.genesis.recovery)) return signer;
  throw new AlthingError(
    'bad-input',
    `These words are those of another fabric, not of "${fabric.genesis.name}".`,
  );
};
