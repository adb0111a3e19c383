/**
 * Governing in a lab of replicas: what an admin's command does at one peer, and what all others make of it.
 * Relies on the replica lab's network in memory; names are ids, and Things need not exist.
 */
import type { Authority } from '../fabric/authority.ts';
import { Governance } from '../peer/governance/governance.ts';
import { Membership } from '../peer/membership.ts';
import { nodeCrypto } from '../store/node-crypto.ts';
import { type LabPeer, ReplicaLab } from './replica-lab.ts';

/** Governing at a peer of the lab. */
export const governanceAt = (lab: ReplicaLab, peer: LabPeer): Governance =>
  new Governance({
    replica: () => peer.replica,
    crypto: nodeCrypto,
    now: lab.clock.now,
    names: { label: () => undefined, claimed: () => undefined },
    thingNamed: (thing) => thing,
    isOnline: () => true,
    departure: () => undefined,
  });

/** What an admin's peer does by itself after every change: confirms, and puts out a thief's friends. */
export const tend = async (lab: ReplicaLab, ...peers: readonly LabPeer[]): Promise<void> => {
  for (const peer of peers) {
    const membership = new Membership(peer.replica, {
      crypto: nodeCrypto,
      now: lab.clock.now,
      storedProof: [],
      dismissal: [],
      dismissed: () => {},
      admitted: () => {},
    });
    await membership.confirm();
  }
};

/** A fabric of n peers of which the first `admins` are admins; all have heard of all. */
export const governedLab = async (n: number, admins: number, seed: number): Promise<ReplicaLab> => {
  const lab = await ReplicaLab.of(n, seed);
  lab.connectAll();
  await lab.settle();
  await tend(lab, lab.peers[0]!);
  await lab.settle();
  for (let made = 1; made < admins; made++) {
    for (const admin of lab.peers.slice(0, made))
      await governanceAt(lab, admin).setRole(lab.peers[made]!.id, 'admin');
    await lab.settle();
  }
  return lab;
};

/** What a peer makes of the fabric, for comparison: roles and who is out. */
export const rolesAt = ({ replica }: LabPeer): string[] => {
  const { members, gone }: Authority = replica.authority;
  return [
    ...[...members.values()].map(({ peer, role }) => `${peer} ${role}`),
    ...[...gone].map(([peer, { how }]) => `${peer} ${how}`),
  ].sort();
};
