/**
 * What is wrong with a peer and what to do about it, from facts that somebody else has gathered.
 * Relies on nothing but those facts, so that every finding can be shown by a test.
 */
import type { DoctorReport, Finding, PeerInfo } from '../core/api-shapes.ts';
import type { PeerId } from '../core/ids.ts';

/** What the findings follow from. Everything is as this peer sees it. */
export interface DoctorFacts {
  readonly nowMs: number;
  readonly self: PeerId;
  /** Undefined while this peer belongs to the fabric. */
  readonly gone: { readonly how: 'revoked' | 'left' | 'replaced'; readonly atMs: number } | undefined;
  readonly clock: {
    /** Own clock minus the fabric's time. */
    readonly offsetMs: number;
    /** False where the own clock is evidently wrong and nobody has told the time yet. */
    readonly known: boolean;
  };
  readonly disk: {
    readonly freeBytes: number | null;
    /** Why the store cannot write at the moment, undefined where it can. */
    readonly failure: { readonly code: string; readonly message: string } | undefined;
  };
  readonly files: {
    /** Files of the home that others than its owner can read. */
    readonly readable: readonly string[];
    /** Whether the recovery words are still there to be shown. */
    readonly wordsUnseen: boolean;
  };
  readonly network: {
    /** `host:port` at which others reach this peer. */
    readonly addresses: readonly string[];
    /** Whether it announces itself on the local networks. */
    readonly announces: boolean;
  };
  readonly members: readonly PeerInfo[];
  readonly admins: number;
  /** Members who stand without an admin's confirmation. */
  readonly unconfirmed: readonly PeerId[];
  /** Proposed sets of admins and how many voices each lacks. */
  readonly proposals: readonly { readonly id: string; readonly needs: number }[];
  /** Authors of whom it is proven that they signed two records for one position. */
  readonly frauds: readonly PeerId[];
  /** Whether somebody proved that of this very key: two copies of this home ran. */
  readonly ownFraud: boolean;
  /** Authors whose records are stamped too far ahead to be taken now, and until when. */
  readonly quarantined: readonly { readonly author: PeerId; readonly untilMs: number }[];
  readonly overQuota: readonly PeerId[];
  /** Who claims to hold records of whom and does not give them. */
  readonly withheld: readonly { readonly peer: PeerId; readonly author: PeerId }[];
}

/** A clock further off than this is worth telling; records of one further off than two minutes wait. */
const clockOffMs = 5000;
const clockFarOffMs = 60_000;
const lowDiskBytes = 100 * 1024 * 1024;
const longAwayMs = 30 * 86_400_000;
const maxNamed = 8;

type Check = (facts: DoctorFacts, nameOf: (peer: PeerId) => string) => readonly Finding[];

const problem = (check: string, message: string, advice: string, peer?: PeerId): Finding => ({
  check,
  level: 'problem',
  message,
  advice,
  ...(peer !== undefined && { peer }),
});
const warning = (check: string, message: string, advice: string, peer?: PeerId): Finding => ({
  ...problem(check, message, advice, peer),
  level: 'warning',
});
const fine = (check: string, message: string): Finding => ({ check, level: 'ok', message, advice: null });

const membership: Check = ({ gone, nowMs }) => {
  if (!gone) return [];
  const when = ago(nowMs - gone.atMs);
  return [
    problem(
      'membership',
      {
        revoked: `This peer was put out of its fabric ${when}.`,
        replaced: `Another device took the place of this one ${when}.`,
        left: `This peer left its fabric ${when}.`,
      }[gone.how],
      'Take a new key and join again: althing leave, then althing join TICKET.',
    ),
  ];
};

const clock: Check = ({ clock: { offsetMs, known } }) => {
  if (!known)
    return [
      problem(
        'clock',
        'The clock of this device is wrong and no other member has told the time yet: grants that end are refused.',
        'Set the clock (timedatectl set-ntp true), or connect another member.',
      ),
    ];
  const off = `${Math.round(Math.abs(offsetMs) / 1000)} s ${offsetMs > 0 ? 'ahead of' : 'behind'} the other members`;
  if (Math.abs(offsetMs) >= clockFarOffMs)
    return [
      problem(
        'clock',
        `The clock is ${off}: this peer writes with their time.`,
        'Set the clock: timedatectl set-ntp true.',
      ),
    ];
  if (Math.abs(offsetMs) >= clockOffMs)
    return [warning('clock', `The clock is ${off}.`, 'Set the clock: timedatectl set-ntp true.')];
  return [fine('clock', 'The clock agrees with the other members.')];
};

const disk: Check = ({ disk: { freeBytes, failure } }) => {
  const found: Finding[] = [];
  if (failure)
    found.push(
      problem(
        'disk',
        `Nothing can be stored: ${failure.message}`,
        failure.code === 'store-corrupt'
          ? 'Stop the peer and rebuild its state from the other members: althing rebuild.'
          : 'Mend the disk or free some space: the peer writes again by itself.',
      ),
    );
  if (freeBytes !== null && freeBytes < lowDiskBytes)
    found.push(
      warning('disk', `Only ${Math.floor(freeBytes / 1024 / 1024)} MiB are free.`, 'Free some disk space.'),
    );
  return found.length > 0 ? found : [fine('disk', 'The state can be written.')];
};

const keys: Check = ({ files: { readable, wordsUnseen } }) => {
  const found = readable.map((file) =>
    problem('keys', `Others on this machine can read ${file}.`, `Close it to them: chmod 600 ${file}.`),
  );
  if (wordsUnseen)
    found.push(
      warning(
        'keys',
        'The recovery words are still on this disk and nowhere else.',
        'Write them down and keep them somewhere else: althing recovery.',
      ),
    );
  return found.length > 0 ? found : [fine('keys', 'The keys are this peer’s alone.')];
};

const network: Check = ({ network: { addresses, announces } }) => {
  const loopbackOnly = addresses.every((address) => /^(127\.|\[?::1\]?:|localhost)/.test(address));
  if (addresses.length === 0 || loopbackOnly)
    return [
      warning(
        'network',
        'No other device can reach this peer: it has no address on a network.',
        'Connect this device to a network, or start it with another address: althing up --listen HOST:PORT.',
      ),
    ];
  if (!announces)
    return [
      warning(
        'network',
        'This peer does not announce itself on the local network: only those who know its address find it.',
        'Start it without --no-mdns, or give others an address: althing up --bootstrap HOST:PORT.',
      ),
    ];
  return [fine('network', `Others reach this peer at ${addresses.join(', ')}.`)];
};

const reachability: Check = ({ members, nowMs }) => {
  const others = members.filter(({ state }) => state !== 'self');
  const offline = others.filter(({ state }) => state === 'offline');
  const found = offline.map((member): Finding => {
    const { name, peer, address, lastSeen } = member;
    const awayMs = lastSeen === null ? undefined : nowMs - Date.parse(lastSeen);
    const seen =
      awayMs === undefined ? 'It was never seen since this start' : `It was last seen ${ago(awayMs)}`;
    const tried = address === null ? 'and no address of it is known' : `and ${address} does not answer`;
    const isLong = awayMs !== undefined && awayMs > longAwayMs;
    return warning(
      'members',
      `${name} cannot be reached. ${seen}, ${tried}.`,
      isLong
        ? 'If it is gone for good: althing revoke or althing replace.'
        : 'Check that it is on and on a network that this one reaches.',
      peer,
    );
  });
  const online = others.filter(({ state }) => state === 'online').length;
  return [...found, fine('members', `In session with ${online} of ${others.length} other members.`)];
};

const governance: Check = ({ admins, members, unconfirmed, proposals, files }, nameOf) => {
  const found: Finding[] = [];
  if (admins === 0)
    found.push(
      problem(
        'admins',
        'The fabric has no admin any more.',
        'Make this device one with the 24 words: althing recover.',
      ),
    );
  if (admins === 1 && members.length > 2 && !files.wordsUnseen)
    found.push(
      warning(
        'admins',
        'The fabric has one admin: if that device is lost, only the 24 words help.',
        'Make a second one: althing role PEER admin.',
      ),
    );
  for (const { id, needs } of proposals)
    found.push(
      warning(
        'admins',
        `A change of admins (${id.slice(0, 12)}) waits for ${needs} more of them.`,
        'See what it is, and run the same command on their devices: althing members.',
      ),
    );
  if (unconfirmed.length > 0)
    found.push(
      warning(
        'admins',
        `No admin has confirmed ${named(unconfirmed, nameOf)} yet.`,
        'Start the device of an admin: it does so by itself.',
      ),
    );
  return found;
};

const trust: Check = (facts, nameOf) => {
  const { frauds, ownFraud, quarantined, overQuota, withheld, nowMs, self } = facts;
  const found: Finding[] = [];
  if (ownFraud)
    found.push(
      problem(
        'trust',
        'Another program has signed records with this peer’s key: this home was copied, or its key was stolen.',
        'Stop the copy. If there should be none, replace this device: althing replace.',
        self,
      ),
    );
  for (const author of frauds)
    if (author !== self)
      found.push(
        problem(
          'trust',
          `${nameOf(author)} has signed two different records for one position: its records are not believed.`,
          'It is hacked, or its key is in two devices: althing revoke or althing replace.',
          author,
        ),
      );
  for (const { author, untilMs } of quarantined)
    found.push(
      warning(
        'trust',
        `Records of ${nameOf(author)} are stamped ${ago(nowMs - untilMs)} and wait until then.`,
        'Set the clock of that device.',
        author,
      ),
    );
  for (const author of overQuota)
    found.push(
      problem(
        'trust',
        `${nameOf(author)} has written more than any peer may: the rest is not taken.`,
        'It is hacked or broken: althing revoke.',
        author,
      ),
    );
  const byPeer = new Map<PeerId, PeerId[]>();
  for (const { peer, author } of withheld) byPeer.set(peer, [...(byPeer.get(peer) ?? []), author]);
  for (const [peer, authors] of byPeer)
    found.push(
      warning(
        'trust',
        `${nameOf(peer)} says that it holds records of ${named(authors, nameOf)} and does not give them.`,
        'Compare versions; if it goes on, althing revoke.',
        peer,
      ),
    );
  return found.length > 0 ? found : [fine('trust', 'No member contradicts itself or holds anything back.')];
};

const checks: readonly Check[] = [membership, clock, disk, keys, network, reachability, governance, trust];

/** All findings, problems first; `healthy` where none of them is a problem. */
export const diagnose = (facts: DoctorFacts): DoctorReport => {
  const names = new Map(facts.members.map(({ peer, name }) => [peer, name]));
  const nameOf = (peer: PeerId): string => names.get(peer) ?? peer;
  const rank = { problem: 0, warning: 1, ok: 2 } as const;
  // To one that is out the fabric is none of its business any more.
  const looked = facts.gone ? [membership, disk, keys] : checks;
  const findings = looked
    .flatMap((check) => check(facts, nameOf))
    .sort((a, b) => rank[a.level] - rank[b.level]);
  return { healthy: findings.every(({ level }) => level !== 'problem'), findings };
};

const named = (peers: readonly PeerId[], nameOf: (peer: PeerId) => string): string => {
  const shown = peers.slice(0, maxNamed).map(nameOf).join(', ');
  return peers.length > maxNamed ? `${shown} and ${peers.length - maxNamed} more` : shown;
};

/** A span in words, from now: `3 minutes ago`, `in 2 hours` where it is negative. */
const ago = (ms: number): string => {
  const size = Math.abs(ms);
  const [count, unit] =
    size < 90_000
      ? [size / 1000, 'second']
      : size < 5_400_000
        ? [size / 60_000, 'minute']
        : size < 172_800_000
          ? [size / 3_600_000, 'hour']
          : [size / 86_400_000, 'day'];
  const text = `${Math.round(count)} ${unit}${Math.round(count) === 1 ? '' : 's'}`;
  return ms < 0 ? `in ${text}` : `${text} ago`;
};
