/**
 * What admins and members of a simulated fabric do to it: roles, revocations, replacements, grants, new sets of admins.
 * Relies on the drafts that real peers write; the founder stays an admin, so that a history has somebody to compare with.
 */
import { fromHex } from '../core/bytes.ts';
import { thingIdOf } from '../core/ids.ts';
import { recoveryBytes } from '../fabric/admin-sets.ts';
import { changeAdmins, nextSet } from '../peer/governance/admin-changes.ts';
import { revocationDraft } from '../peer/governance/revocation-draft.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { labFabric, recoverySigner } from './control-lab.ts';
import type { SimulatedPeer } from './simulated-peer.ts';
import type { Simulator } from './simulator.ts';

/** Fewer than these many members are not revoked from. */
const leastMembers = 4;

/** An admin does something, where it finds something to do. */
export const govern = async (simulator: Simulator, admin: SimulatedPeer): Promise<void> => {
  const { authority } = admin.replica;
  const founder = simulator.peers[0]!.id;
  const others = simulator.peers.filter(({ id }) => id !== founder && authority.members.has(id));
  const plain = others.filter(({ id }) => !authority.admins.has(id));
  const other = simulator.oneOf(plain);
  const dice = simulator.pick(100);
  if (!authority.admins.has(admin.id) || !other) return;
  if (dice < 12 && authority.members.size > leastMembers)
    await admin.write(revocationDraft('peer', other.id));
  else if (dice < 16 && authority.members.size > leastMembers) await replace(simulator, admin, plain);
  else if (dice < 26) {
    const value = { type: 'role', peer: other.signer.publicKey, role: simulator.oneOf(['member', 'guest']) };
    await admin.write({ collection: 'member', key: other.id, value });
  } else if (dice < 46) await permit(simulator, admin, other);
  else if (dice < 66 && !simulator.liars.has(other.id))
    await changeAdmins(admin.replica, { add: [other.id] }, nodeCrypto);
  else if (dice < 80) {
    const out = simulator.oneOf(others.filter(({ id }) => authority.admins.has(id)));
    if (!out) return;
    const remove = [{ peer: out.id, out: simulator.random() < 0.3 }];
    await changeAdmins(admin.replica, { remove }, nodeCrypto);
  } else await approve(simulator, admin);
};

const replace = async (
  simulator: Simulator,
  admin: SimulatedPeer,
  plain: readonly SimulatedPeer[],
): Promise<void> => {
  const [old, successor] = [simulator.oneOf(plain), simulator.oneOf(plain)];
  if (!old || !successor || old.id === successor.id) return;
  const value = { type: 'replacement', old: old.signer.publicKey, new: successor.signer.publicKey };
  await admin.write({ collection: 'replacement', key: old.id, value });
};

/** Grants, ends a grant, restricts or frees a Thing. */
const permit = async (simulator: Simulator, admin: SimulatedPeer, other: SimulatedPeer): Promise<void> => {
  const grant = simulator.oneOf(admin.replica.authority.grants);
  const thing = thingIdOf(other.id, 'thing-0');
  const scope = {
    things: { kind: 'all' },
    operations: ['read'],
    affordances: null,
    notBefore: null,
    expires: null,
  };
  const subject = { kind: 'peer', peer: other.signer.publicKey };
  const restricted = simulator.random() < 0.5;
  await admin.write(
    simulator.oneOf([
      { collection: 'grant', key: other.id, value: { type: 'grant', subject, ...scope } },
      ...(grant
        ? [{ collection: 'grant', key: grant.id, value: { type: 'withdrawal', grant: fromHex(grant.id) } }]
        : []),
      { collection: 'restriction', key: thing, value: { type: 'restriction', thing, restricted } },
    ]),
  );
};

/** Is for a set of admins that somebody proposed, by a vote as real peers cast it. */
const approve = async (simulator: Simulator, admin: SimulatedPeer): Promise<void> => {
  const { adminSets, admins } = admin.replica.authority;
  const open = simulator.oneOf(adminSets.open);
  if (!open) return;
  const add = open.admins.filter((peer) => !admins.has(peer));
  const remove = open.removed.filter(({ peer }) => admins.has(peer)).map(({ peer, out }) => ({ peer, out }));
  await changeAdmins(admin.replica, { add, remove }, nodeCrypto);
};

/** A member with the 24 words makes itself and the founder the admins. */
export const recover = async (simulator: Simulator, member: SimulatedPeer): Promise<void> => {
  const founder = simulator.peers[0]!.id;
  const { admins } = member.replica.authority;
  const remove = [...admins]
    .filter((peer) => peer !== founder && peer !== member.id)
    .map((peer) => ({ peer, out: false }));
  const set = nextSet(member.replica, { add: [founder, member.id], remove });
  const recovery = recoverySigner().sign(recoveryBytes(labFabric, set));
  await member.write({
    collection: 'adminset',
    key: 'recovered',
    value: { type: 'proposal', ...set, recovery },
  });
};
