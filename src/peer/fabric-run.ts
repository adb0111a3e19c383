/**
 * All that runs for one fabric: its replica, its door, its sessions and what is announced; joining another replaces it.
 * Relies on the peer for what outlives it: identity, store, listener, discovery and the exposed Things.
 */
import { randomBytes } from 'node:crypto';
import type { DepartureInfo } from '../core/api-shapes.ts';
import { HybridClock } from '../core/clock.ts';
import { type AlthingError, isDiskFailure, toAlthingError } from '../core/errors.ts';
import { hashId, type PeerId, peerIdOf } from '../core/ids.ts';
import type { Fabric } from '../fabric/genesis.ts';
import type { Endpoint } from '../net/channel.ts';
import type { Sighting } from '../net/discovery-api.ts';
import { DoorLimit } from '../net/door-limit.ts';
import type { FabricClock } from '../net/fabric-clock.ts';
import { answerDoor, greet } from '../net/handshake.ts';
import type { NetworkInterface } from '../net/interfaces.ts';
import type { Session } from '../net/session.ts';
import { Supervisor } from '../net/supervisor.ts';
import { Replica } from '../replica/replica.ts';
import type { ReplicaChange } from '../replica/replica-change.ts';
import type { Withheld } from '../replica/withheld.ts';
import { writingClock } from '../replica/writing-clock.ts';
import { hmacSha256 } from '../store/node-crypto.ts';
import { Addresses, ownAddresses } from './addresses.ts';
import { Directory } from './directory.ts';
import type { FabricRunOptions } from './fabric-run-options.ts';
import { createFabricTime } from './fabric-time.ts';
import { FormerNames } from './former-names.ts';
import { endedText } from './governance/ended-text.ts';
import { sightingTag } from './join.ts';
import { Membership, rawList } from './membership.ts';
import { OwnCard } from './own-card.ts';
import { RecordLinks } from './record-links.ts';
import { DeviceRules } from './rules/device-rules.ts';
import { createDevice, type Device } from './sharing/device.ts';
import { SeenThings } from './sharing/seen-things.ts';
import { ShownMembership } from './sharing/shown-membership.ts';
import { TdReader } from './td-reader.ts';
import { yieldTurn } from './yield-turn.ts';

/** The note that holds the records by which another peer showed this one that it is out. */
const dismissalNote = 'dismissal';
/** Records on which it depends what guests and rules may see. */
const permitting: ReadonlySet<string> = new Set(['thing', 'peer', 'rule', 'scene', 'label']);

/** One fabric, running. */
export class FabricRun {
  readonly fabric: Fabric;
  readonly replica: Replica;
  readonly membership: Membership;
  readonly directory: Directory;
  readonly supervisor: Supervisor;
  /** The fabric's time, as the members in session tell it. */
  readonly time: FabricClock;
  /** What rules meet at this device. */
  readonly rules: DeviceRules;
  readonly #options: FabricRunOptions;
  readonly #self: PeerId;
  readonly #clock: HybridClock;
  readonly #shown: ShownMembership;
  /** What this peer sees as a guest. */
  readonly #seen: SeenThings;
  readonly #device: Device;
  readonly #guards = new Map<Session, () => void>();
  readonly #links: RecordLinks;
  readonly #addresses: Addresses;
  readonly #lastSeen = new Map<PeerId, number>();
  readonly #card: OwnCard;
  readonly #tds: TdReader;
  readonly #formerNames: FormerNames;
  #isStarted = false;
  #isOut = false;
  #closed = false;

  constructor(options: FabricRunOptions) {
    const { fabric, signer, crypto, logger } = options;
    this.#options = options;
    this.fabric = fabric;
    this.#self = peerIdOf(signer.publicKey);
    this.time = createFabricTime({
      fabric,
      keptStamp: options.kept.floor.clock,
      membership: () => this.membership,
      sessions: () => this.supervisor?.sessions() ?? [],
    });
    const fabricTimeMs = () => this.time.timeMs();
    this.#clock = new HybridClock(writingClock(Date.now, fabricTimeMs), options.kept.floor.clock);
    this.replica = new Replica(options.stored.records, {
      fabric,
      signer,
      crypto,
      clock: this.#clock,
      now: Date.now,
      fabricTimeMs,
      store: options.store,
      notes: options.stored.local,
      lastEpoch: options.kept.floor.epoch,
      epochOpened: (epoch) => options.kept.keep({ epoch, clock: this.#clock.last }),
      yieldTurn,
      logger,
    });
    this.replica.onChange = (change) => this.#changed(change);
    this.#card = new OwnCard(this.replica, logger);
    this.membership = new Membership(this.replica, {
      crypto,
      now: () => this.time.timeMs(),
      storedProof: options.storedProof,
      dismissal: rawList(options.notes.get(dismissalNote)),
      dismissed: (records) => void this.#dismissed(records),
      admitted: (peer, role) => options.activity({ kind: 'member-joined', peer, message: role }),
    });
    this.#shown = new ShownMembership({
      membership: this.membership,
      notes: options.notes,
      roleChanged: () => this.#roleChanged(),
      logger,
    });
    this.#seen = new SeenThings({
      self: this.#self,
      notes: options.notes,
      notePrefix: `seen/${hashId(fabric.id)}/`,
      admits: () => true,
      changed: options.seenChanged,
      introduced: () => this.#want(),
      membership: (records) => this.#shown.take(records),
      logger,
    });
    this.#formerNames = new FormerNames(options.notes, logger);
    this.directory = new Directory(this.replica, {
      others: () => [this.#seen, ...options.others()],
      holdsRecords: () => !this.isGuest,
      formerName: (peer) => this.#formerNames.of(peer),
    });
    this.#tds = new TdReader(this.directory, yieldTurn);
    const scopeTime = () => ({ ms: this.time.timeMs(), known: this.time.timeKnown() });
    const parts = {
      replica: this.replica,
      membership: this.membership,
      directory: this.directory,
      exposed: options.exposed,
      notes: options.notes,
      crypto,
      time: scopeTime,
    };
    this.rules = new DeviceRules({
      ...parts,
      journal: options.journal,
      gate: () => this.#device.gate,
      supervisor: () => this.supervisor,
      stamp: () => this.#clock.next(),
      connector: options.connector,
      activity: options.activity,
      logger,
    });
    this.#device = createDevice({ ...parts, rules: this.rules });
    this.#addresses = new Addresses({
      notes: options.notes,
      fabric: fabric.id,
      hmac: hmacSha256,
      sightings: () => options.discovery?.sightings() ?? [],
      interfaces: options.interfaces,
      published: (peer) => this.directory.card(peer)?.addresses ?? [],
    });
    const isGuest = (peer: PeerId) => this.membership.roleOf(peer) === 'guest';
    this.#links = new RecordLinks(this.replica, { isGuest, crypto, logger });
    const limit = new DoorLimit(() => performance.now());
    this.supervisor = new Supervisor({
      self: this.#self,
      dial: options.dial,
      greet: (frames) => greet(frames, this.membership),
      answer: (frames) => answerDoor(frames, this.membership, { desk: this.#device.desk, limit }),
      belongs: (peer) => this.membership.belongs(peer),
      host: {
        serverFor: (visitor) => this.#device.server.serverFor(visitor),
        sync: (session, message) => this.#links.handle(session, message),
      },
      endpointsOf: (peer) => this.#addresses.endpointsOf(peer),
      followed: () => [...options.followed(), ...this.rules.host.needed],
      random: Math.random,
      logger,
      opened: (session, first) => this.#opened(session, first),
      neighbour: (session) => this.#links.link(session),
      closed: (session, last, reason) => this.#ended(session, last, reason),
      fruitless: () => options.discovery?.probe(),
    });
  }

  /**
   * Publishes this peer, announces it, and begins to look for the others. With `catchUpFirstMs` nothing is written
   * before the others' records are here or that time is over; resolves to whether they are.
   */
  async start(options: { catchUpFirstMs?: number } = {}): Promise<boolean> {
    await this.#keepMembership();
    void this.rules.start();
    const { catchUpFirstMs } = options;
    if (catchUpFirstMs === undefined) await this.publishCard();
    const caughtUp = catchUpFirstMs === undefined ? true : this.caughtUp(catchUpFirstMs);
    this.#announce();
    this.#want();
    this.supervisor.bootstrap(this.departure ? [] : this.#options.bootstrap);
    this.#checkDeparture();
    this.#isStarted = true;
    this.#links.start();
    void this.#tds.read(this.replica.each('thing'));
    const here = await caughtUp;
    await this.publishCard();
    this.#confirm();
    return here;
  }

  /** Who claims to hold records and does not give them. */
  withheld(): Withheld[] {
    return this.#links.withheld();
  }

  /** The store takes records again: what could not be written meanwhile is written now. */
  storeRecovered(): void {
    void this.#keepMembership();
    void this.publishCard();
    this.#confirm();
  }

  /**
   * Resolves to true when this replica has caught up with another for the first time, or a guest has been shown the first
   * Things; to false after `timeoutMs`.
   */
  caughtUp(timeoutMs: number): Promise<boolean> {
    if (this.isGuest) return this.#seen.firstRead(timeoutMs);
    return this.#links.caughtUp(timeoutMs);
  }

  /** How this peer came to be out of the fabric; undefined while it is not. */
  get departure(): DepartureInfo | undefined {
    return this.membership.departure;
  }

  /** Whether this peer is a guest, who holds no records. */
  get isGuest(): boolean {
    return this.membership.roleOf(this.#self) === 'guest';
  }

  /** The members; for a guest those that it has heard of. */
  peers(): Iterable<PeerId> {
    return this.isGuest ? [...this.membership.members(), ...this.#seen.peers()] : this.membership.members();
  }

  /** Resolves when all Things of the records that are here have been read. */
  thingsRead(): Promise<void> {
    return this.#tds.read([]);
  }

  /** Things of this device have come, changed or gone. */
  exposedChanged(): void {
    this.#device.gate.recheckSoon();
    this.rules.host.thingsChanged();
  }

  /** When a peer was last in session, milliseconds since 1970; undefined where never in this run. */
  lastSeen(peer: PeerId): number | undefined {
    return this.#lastSeen.get(peer);
  }

  /** The first address known of a peer, `host:port`. */
  addressOf(peer: PeerId): Endpoint | undefined {
    return this.#addresses.endpointsOf(peer)[0];
  }

  /** Something was heard on the networks: if it is one of ours, it is dialled at once. */
  sighted(sighting: Sighting): void {
    for (const peer of this.peers())
      if (this.supervisor.seeks(peer) && this.#addresses.isOf(sighting, peer)) this.supervisor.kick(peer);
  }

  /** The machine's networks have changed. */
  interfacesChanged(interfaces: readonly NetworkInterface[], added: boolean): void {
    this.supervisor.addressesAre(new Set(interfaces.map(({ address }) => address)));
    if (added) {
      this.#options.discovery?.probe();
      this.supervisor.kick();
    }
    void this.publishCard();
  }

  /** Writes this peer's own record where it would say something new. */
  async publishCard(): Promise<void> {
    const { listen, name, interfaces } = this.#options;
    if (this.isGuest || this.departure) return;
    await this.#card.publish({ name, addresses: ownAddresses(listen, interfaces()) });
  }

  async stop(): Promise<void> {
    this.#closed = true;
    if (this.#isStarted) await this.#keepMembership();
    this.#links.close();
    this.#tds.close();
    this.#device.gate.close();
    this.#seen.close();
    this.supervisor.close();
    await this.rules.close();
    await this.replica.close();
  }

  #announce(): void {
    const { discovery, signer, listen } = this.#options;
    const salt = new Uint8Array(randomBytes(16));
    const tag = sightingTag(this.fabric.id, salt, signer.publicKey, hmacSha256);
    discovery?.announce({ salt, tag, port: listen.port });
  }

  #opened(session: Session, first: boolean): void {
    const { peer } = session;
    const { logger, activity, sessionOpened } = this.#options;
    this.#lastSeen.set(peer, Date.now());
    if (session.dialled) void this.#remember(session);
    this.#guards.set(session, this.#device.server.guard(session));
    if (this.isGuest) void this.#seen.follow(session);
    else if (first && session.visitor.kind === 'member') void this.#shown.ask(session);
    if (first) {
      logger.info({ peer, address: session.remoteAddress }, 'In session.');
      activity({ kind: 'session-up', peer });
      this.rules.host.presenceChanged(peer, true);
    }
    sessionOpened(peer);
  }

  async #dismissed(records: readonly Uint8Array[]): Promise<void> {
    this.#checkDeparture();
    try {
      await this.#options.notes.set(dismissalNote, records);
    } catch (error) {
      // The next member that is dialled shows it again.
      if (!isDiskFailure(error)) this.#options.logger.warn({ err: error }, 'A dismissal could not be kept.');
    }
  }

  /**
   * One that is out says so, and dials nobody any more. It still answers those who come: a thief with an admin's key may
   * have put it out, and they may bring what undoes that.
   */
  #checkDeparture(): void {
    const { departure } = this;
    const { logger, activity, bootstrap, exposed, seenChanged } = this.#options;
    if ((departure !== undefined) === this.#isOut) return;
    this.#isOut = departure !== undefined;
    this.#want();
    this.supervisor.bootstrap(departure ? [] : bootstrap);
    // Its own records stay, and are read no more, or again.
    seenChanged([...exposed.all()].map(({ td }) => td.id));
    if (!departure) {
      logger.info({}, 'This peer belongs to its fabric again.');
      void this.publishCard();
      return;
    }
    const text = endedText(this.fabric, departure);
    if (departure.how === 'left') logger.info({ ...departure }, text);
    else logger.warn({ ...departure }, text);
    activity({ kind: 'membership-ended', peer: departure.by, message: text });
  }

  #ended(session: Session, last: boolean, reason: AlthingError | undefined): void {
    const { peer } = session;
    this.#guards.get(session)?.();
    this.#guards.delete(session);
    this.#seen.unfollow(session);
    if (this.#closed) return;
    this.#links.unlink(session);
    if (!last) return;
    this.#lastSeen.set(peer, Date.now());
    this.#options.logger.info({ peer, code: reason?.code }, reason?.message ?? 'The session ended.');
    this.#options.activity({ kind: 'session-down', peer, ...(reason && { message: reason.message }) });
    this.rules.host.presenceChanged(peer, false);
  }

  async #remember({ peer, remoteAddress }: Session): Promise<void> {
    try {
      await this.#addresses.remember(peer, remoteAddress);
      await this.#keepMembership();
    } catch (error) {
      if (!isDiskFailure(error))
        this.#options.logger.warn({ err: error, peer }, 'An address that worked could not be remembered.');
    }
  }

  /** Keeps what a lost database would cost, where it has changed. */
  async #keepMembership(): Promise<void> {
    const { kept, logger } = this.#options;
    const others = [...this.membership.members()].filter((peer) => peer !== this.#self);
    const addresses = this.#addresses.waysTo(others);
    try {
      await kept.keep({
        genesis: this.fabric.bytes,
        proof: this.membership.proof(),
        addresses,
        clock: this.#clock.last,
      });
    } catch (error) {
      // A disk that fails is told by the store's health, and this is tried again when it works.
      if (!isDiskFailure(error)) logger.error({ err: error }, 'The membership file could not be written.');
    }
  }

  #changed(change: ReplicaChange): void {
    if (this.#closed) return;
    this.#links.replicaChanged(change);
    this.rules.recordsChanged(change);
    void this.#tds.read(change.records);
    this.#formerNames.dropped(change.removed);
    if (change.membership) {
      this.#device.gate.recheck();
      this.#want();
      this.#links.unlinkGuests();
      if (this.isGuest) for (const session of this.supervisor.sessions()) void this.#seen.follow(session);
      this.#checkDeparture();
      this.#confirm();
      void this.#keepMembership();
    }
    if (change.records.some(({ collection }) => permitting.has(collection))) this.#device.gate.recheckSoon();
    for (const record of change.records)
      if (record.collection === 'peer' && !change.own) this.supervisor.kick(record.authorId);
    this.#options.changed(change);
  }

  #want(): void {
    const members = [...this.peers()];
    const leaves = new Set(members.filter((peer) => this.membership.roleOf(peer) === 'guest'));
    this.supervisor.want(this.departure ? [] : members, { leaves });
  }

  /** This peer has become a guest, or is one no more, by what a device has shown. */
  #roleChanged(): void {
    this.#device.gate.recheck();
    this.#links.unlinkGuests();
    this.#want();
    if (this.isGuest) for (const session of this.supervisor.sessions()) void this.#seen.follow(session);
    else void this.#seen.forgetAll();
    void this.publishCard();
  }

  #confirm(): void {
    this.membership.confirm().catch((error: unknown) => {
      if (!isDiskFailure(error))
        this.#options.logger.error({ err: toAlthingError(error) }, 'Admissions could not be confirmed.');
    });
  }
}
