/**
 * What one fabric's others meet at this device: the access gate, the Things and the directory behind it, the pass desk.
 * Relies on the fabric's replica, membership and directory; only puts these parts together.
 */
import type { Crypto } from '../../core/crypto.ts';
import type { PeerId } from '../../core/ids.ts';
import type { ScopeTime } from '../../fabric/scope.ts';
import type { Replica } from '../../replica/replica.ts';
import type { LocalNotes } from '../../store/local-notes.ts';
import type { Directory } from '../directory.ts';
import type { ExposedThings } from '../exposed-things.ts';
import { type Membership, rawOf } from '../membership.ts';
import type { DeviceRules } from '../rules/device-rules.ts';
import { AccessGate } from './access-gate.ts';
import { DeviceServer } from './device-server.ts';
import { GuestDesk } from './pass-desk.ts';
import { ServedDirectory } from './served-directory.ts';

export interface DeviceOptions {
  readonly replica: Replica;
  readonly membership: Membership;
  readonly directory: Directory;
  readonly exposed: ExposedThings;
  readonly notes: LocalNotes;
  readonly crypto: Crypto;
  readonly time: () => ScopeTime;
  readonly rules: DeviceRules;
}

/** This device towards the members of one fabric and their guests. */
export interface Device {
  readonly gate: AccessGate;
  readonly server: DeviceServer;
  readonly desk: GuestDesk;
}

/** Puts the device together. */
export const createDevice = (options: DeviceOptions): Device => {
  const { replica, membership, directory, exposed, notes, crypto, time, rules } = options;
  const { self } = replica;
  const roleOf = (peer: PeerId) => membership.roleOf(peer);
  const desk = new GuestDesk({
    fabric: replica.fabric.id,
    crypto,
    notes,
    authorityWith: (records) => membership.authorityWith(records),
    isMember: (peer) => roleOf(peer) !== undefined,
    time,
  });
  const gate = new AccessGate({
    authority: () => replica.authority,
    authorityFor: (pass) => desk.authorityFor(pass),
    roleOf,
    time,
    ruleAllows: (asked) => rules.allows(asked),
    ruleForbids: (rule, thing, call) => rules.forbids(rule, thing, call),
    nameOf: (peer) => directory.card(peer)?.name ?? peer,
  });
  const served = new ServedDirectory({
    self,
    gate,
    exposed: () => exposed.all(),
    all: () => directory.find(),
    card: (peer) => directory.card(peer),
    speakerOf: (peer) => replica.authority.speakerOf(peer),
    proofOf: (peer) => rawOf(replica.authority.members.get(peer)?.proof ?? []),
  });
  const server = new DeviceServer({
    ...{ self, gate, rules },
    directory: served,
    exposed: (id) => exposed.served(id),
  });
  return { gate, server, desk };
};
