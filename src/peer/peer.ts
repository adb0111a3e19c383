/**
 * A peer: one home brought to life, with its identity, its fabric, its sessions and its Things.
 * Relies on every folder below; this is the only place that wires them together.
 */
import { randomUUID } from 'node:crypto';
import type {
  Activity,
  DoctorReport,
  InviteInfo,
  InviteRequest,
  JoinInfo,
  PeerInfo,
  SelfInfo,
  ShadowInfo,
  ThingInfo,
} from '../core/api-shapes.ts';
import { AlthingError } from '../core/errors.ts';
import type { LeaveInfo } from '../core/governance-shapes.ts';
import { hashId, type PeerId, peerIdOf } from '../core/ids.ts';
import type { Fabric } from '../fabric/genesis.ts';
import { decodeTicket } from '../fabric/ticket.ts';
import { createTlsContext, dialTls, parseEndpoint } from '../net/tls-channel.ts';
import { openHoldings } from '../replica/open-holdings.ts';
import type { StoredState } from '../replica/record-store.ts';
import { archiveHome } from '../store/archive-home.ts';
import { tlsIdentityOf } from '../store/certificate.ts';
import { type Config, updateConfig } from '../store/config.ts';
import { deleteRecoveryKey } from '../store/identity.ts';
import { hmacSha256, nodeCrypto } from '../store/node-crypto.ts';
import { makeSnapshot } from '../store/snapshot.ts';
import type {
  CallOptions,
  RequestOperation,
  StreamHandle,
  StreamOperation,
  StreamSink,
  ThingCall,
} from '../thing/operations.ts';
import type { Cause, ThingFilter, Wot } from '../thing/scripting-api.ts';
import type { ThingDescription } from '../thing/thing-description.ts';
import { ActivityFeed } from './activity.ts';
import { ownAddresses } from './addresses.ts';
import type { ListedThing } from './directory.ts';
import { DirectoryChanges } from './directory-changes.ts';
import { examine } from './doctor.ts';
import { ExposedThings } from './exposed-things.ts';
import { FabricRun } from './fabric-run.ts';
import type { OpenedState } from './fabric-run-options.ts';
import { checkAlone } from './governance/alone.ts';
import { Governance } from './governance/governance.ts';
import { sayFarewell } from './governance/leaving.ts';
import { createInvite } from './invite.ts';
import { type Joined, openTicket, redeemTicket } from './join.ts';
import { lastKnown } from './last-known.ts';
import { membershipNotes, openFabric, rebuiltNote, storedProof } from './open-fabric.ts';
import type { DirectoryChange, PeerApi } from './peer-api.ts';
import { peerList } from './peer-list.ts';
import { checkPeerName } from './peer-name.ts';
import type { PeerParts } from './peer-options.ts';
import { recallNames } from './recalled-names.ts';
import { Routing } from './routing.ts';
import { Rules } from './rules/rules.ts';
import { Passes } from './sharing/passes.ts';
import { showWords } from './shown-words.ts';
import { type Network, startNetwork } from './start-network.ts';
import { thingList } from './thing-list.ts';
import { Tokens } from './tokens.ts';
import { version } from './version.ts';
import { createWot } from './wot.ts';
import { yieldTurn } from './yield-turn.ts';

const nothingStored: StoredState = { records: [], local: new Map() };
const joinTimeoutMs = 15_000;
/** Joining is done when the fabric's Things are there to be used; a slow network may bring them later. */
const catchUpTimeoutMs = 3000;
/** A peer whose store was lost writes nothing for this long, unless what it had comes back before. */
const rebuildTimeoutMs = 5000;

/** A running peer. Made by `createPeer`. */
export class Peer implements PeerApi {
  readonly id: PeerId;
  readonly passes: Passes;
  readonly #parts: PeerParts;
  readonly #signer;
  readonly #tls;
  readonly #tlsIdentity;
  readonly tokens: Tokens;
  readonly #exposed: ExposedThings;
  readonly #routing: Routing;
  readonly governance: Governance;
  readonly rules: Rules;
  readonly #feed = new ActivityFeed();
  readonly #directoryChanges = new DirectoryChanges(yieldTurn);
  #name: string;
  #run!: FabricRun;
  #network: Network | undefined;
  #stopping: Promise<void> | undefined;
  #joining = false;

  constructor(parts: PeerParts) {
    const { seed, notes, name, logger } = parts;
    this.#parts = parts;
    this.#name = name;
    this.#signer = nodeCrypto.signer(seed);
    this.id = peerIdOf(this.#signer.publicKey);
    this.#tlsIdentity = tlsIdentityOf(seed);
    this.#tls = createTlsContext(this.#tlsIdentity);
    this.tokens = new Tokens(notes, nodeCrypto, Date.now);
    this.#exposed = new ExposedThings({
      self: this.id,
      notes,
      replica: () => this.#run.replica,
      validate: async (td) => (await import('../thing/validate-td.ts')).validateTd(td),
      changed: (kind, thing) => {
        this.#feed.tell({ kind, thing });
        this.#run.exposedChanged();
      },
      now: () => this.#run.time.timeMs(),
      logger,
    });
    this.#routing = new Routing({
      self: this.id,
      exposed: (id) => this.#exposed.get(id),
      steps: () => this.#run.rules.steps,
      known: (id) => this.#run.directory.byId(id) !== undefined,
      session: (peer) => this.passes.session(peer),
      reach: (peer, how) => this.#run.supervisor.reach(peer, how),
      speakerOf: (peer) => this.#run.replica.authority.speakerOf(peer),
      newCause: () => this.newCause('program'),
      activity: () => this.#feed.report,
    });
    this.passes = new Passes({
      run: () => this.#run,
      addressesOf: (peer) => this.#addressesOf(peer),
      isOffline: parts.options.offline ?? false,
      signer: this.#signer,
      notes,
      dial: (endpoint, how) => dialTls(endpoint, this.#tls, how),
      discovery: () => this.#network?.discovery,
      interfaces: () => this.#network?.interfaces.current ?? [],
      now: () => this.#run.time.timeMs(),
      logger: parts.logger,
      changed: (ids) => this.#directoryChanges.tellThings(ids, this.#run.directory),
      sessionOpened: (peer) => this.#routing.resumeStreams(peer),
    });
    this.governance = new Governance({
      replica: () => this.#run.replica,
      crypto: nodeCrypto,
      now: Date.now,
      names: {
        label: (peer) => this.#run.directory.peerNames.label(peer),
        claimed: (peer) => (peer === this.id ? this.#name : this.#run.directory.peerNames.claimed(peer)),
      },
      thingNamed: (thing) => this.resolveThing(thing).id,
      isOnline: (peer) => this.#run.supervisor.session(peer) !== undefined,
      departure: () => this.#run.departure,
    });
    this.rules = new Rules({
      fabric: () => this.#run,
      use: { connector: this, newCause: () => this.newCause('program') },
      isOnline: (peer) => peer === this.id || this.#run.supervisor.session(peer) !== undefined,
    });
  }

  /** Called once, by `createPeer`. */
  async start(stored: StoredState): Promise<void> {
    const { options, config, home, health, notes, kept, logger } = this.#parts;
    const fabricName = options.fabricName ?? this.#name;
    const fabric = await openFabric({ home, notes, kept, signer: this.#signer, name: fabricName });
    if (!options.offline) {
      this.#network = await startNetwork({
        options,
        config,
        configPath: home.config,
        identity: this.#tlsIdentity,
        onChannel: (channel, accepted) => void this.#run.supervisor.accept(channel, accepted),
        interfacesChanged: (current, added) => {
          this.#run?.interfacesChanged(current, added);
          this.passes.held.interfacesChanged(current, added);
        },
        sighted: (sighting) => {
          this.#run?.sighted(sighting);
          this.passes.held.sighted(sighting);
        },
        logger,
      });
    }
    const how = { crypto: nodeCrypto, yieldTurn };
    const records = await openHoldings(stored.records, fabric, how);
    this.#run = this.#newRun(fabric, { ...stored, records });
    if (notes.get(rebuiltNote) === true) await this.#startRebuilt();
    else await this.#run.start();
    this.passes.start();
    health.onRecovered = () => {
      this.#run.storeRecovered();
      this.#exposed.publish().catch((error: unknown) => logger.warn({ err: error }, 'Things are not told.'));
    };
  }

  /** The store was made anew: what this peer had comes back from the others, the names of its Things included. */
  async #startRebuilt(): Promise<void> {
    const { notes, options } = this.#parts;
    const alone = [...this.#run.membership.members()].every((peer) => peer === this.id);
    const wait = alone || options.offline ? {} : { catchUpFirstMs: rebuildTimeoutMs };
    const isHere = await this.#run.start(wait);
    await recallNames(this.#run.replica, notes);
    if (isHere && !options.offline) await notes.set(rebuiltNote, null);
  }

  doctor(): Promise<DoctorReport> {
    const { home, health } = this.#parts;
    return examine(this.#run, {
      home,
      peers: () => this.peers(),
      addresses: this.#ownAddresses(),
      announces: this.#network?.discovery !== undefined,
      storage: health.state,
    });
  }

  wotFor(origin: Cause['origin'], options: { trusted?: boolean } = {}): Wot {
    return createWot({
      self: this.id,
      connector: this,
      exposed: this.#exposed,
      find: (filter) => this.thingDescriptions(filter),
      resolve: (name) => this.resolveThing(name),
      newCause: () => this.newCause(origin),
      trusted: options.trusted ?? false,
      logger: this.#parts.logger,
    });
  }

  /** The Scripting API for the program that embeds this peer. */
  get wot(): Wot {
    return this.wotFor('program');
  }

  /** What the home's `config.yaml` said at the start. */
  get config(): Config {
    return this.#parts.config;
  }

  newCause(origin: Cause['origin']): Cause {
    return { id: randomUUID(), origin, peer: this.id };
  }

  request(call: ThingCall<RequestOperation>, options?: CallOptions): Promise<unknown> {
    return this.#routing.request(call, options);
  }

  stream(call: ThingCall<StreamOperation>, sink: StreamSink, options?: CallOptions): Promise<StreamHandle> {
    return this.#routing.stream(call, sink, options);
  }

  self(): SelfInfo {
    const { fabric, membership } = this.#run;
    return {
      peer: this.id,
      name: this.#name,
      fabric: hashId(fabric.id),
      fabricName: fabric.genesis.name,
      role: membership.roleOf(this.id) ?? 'member',
      gone: this.#run.departure ?? null,
      version,
      listen: this.#ownAddresses(),
      gateway: { socket: this.#parts.home.gatewaySocket, http: null },
    };
  }

  peers(): PeerInfo[] {
    const address = this.#ownAddresses()[0] ?? null;
    return peerList(this.#run, { id: this.id, name: this.#name, address });
  }

  thingDescriptions(filter?: ThingFilter): ThingDescription[] {
    return this.#run.directory.find(filter);
  }

  things(filter?: ThingFilter): ThingInfo[] {
    const isOnline = (thing: ListedThing): boolean | null =>
      thing.peer === this.id ? this.#exposed.has(thing.td.id) : this.passes.isOnline(thing);
    return thingList(this.#run.directory, isOnline, filter);
  }

  thingsRead(): Promise<void> {
    return this.#run.thingsRead();
  }

  lastKnown(thing: string): ShadowInfo {
    return lastKnown(this.#run, thing, this.#run.time.timeMs());
  }

  resolveThing(name: string): ThingDescription {
    return this.#run.directory.resolve(name);
  }

  onDirectoryChange(listener: (change: DirectoryChange) => void): () => void {
    return this.#directoryChanges.listen(listener, this.#run.directory);
  }

  report(activity: Omit<Activity, 'time'>): void {
    this.#feed.tell(activity);
  }

  onActivity(listener: (activity: Activity) => void): () => void {
    return this.#feed.listen(listener);
  }

  invite(request: InviteRequest): Promise<InviteInfo> {
    return createInvite(request, {
      replica: this.#run.replica,
      crypto: nodeCrypto,
      now: () => this.#run.time.timeMs(),
      addressesOf: (peer) => this.#addressesOf(peer),
      peerNamed: (peer) => this.governance.peerNamed(peer),
      online: () => this.#run.supervisor.sessions().map(({ peer }) => peer),
    });
  }

  async join(ticketText: string, options: { name?: string; signal?: AbortSignal } = {}): Promise<JoinInfo> {
    const { home } = this.#parts;
    const found = decodeTicket(ticketText, nodeCrypto);
    if (found.kind === 'pass') return this.passes.join(found, { signal: options.signal });
    const ticket = openTicket(ticketText, nodeCrypto);
    if (options.name !== undefined) checkPeerName(options.name);
    if (this.#joining) throw new AlthingError('already-in-fabric', 'This peer is joining a fabric already.');
    checkAlone(this.#run, this.id);
    if (this.#parts.options.offline)
      throw new AlthingError('join-unreachable', 'This peer was started without a network.');
    this.#joining = true;
    try {
      const joined = await redeemTicket(ticket, {
        signer: this.#signer,
        crypto: nodeCrypto,
        dial: (endpoint, how) => dialTls(endpoint, this.#tls, how),
        hmac: hmacSha256,
        sightings: () => this.#network?.discovery?.sightings() ?? [],
        probe: () => this.#network?.discovery?.probe(),
        timeoutMs: joinTimeoutMs,
        signal: options.signal ?? new AbortController().signal,
      });
      // Somebody may have joined us meanwhile, and would be left alone in a fabric that nobody runs.
      checkAlone(this.#run, this.id);
      await this.#leaveFor(joined);
      if (options.name !== undefined) this.#name = options.name;
      this.#run = this.#newRun(joined.fabric, nothingStored);
      const caughtUp = this.#run.caughtUp(catchUpTimeoutMs);
      await this.#run.start();
      await this.#exposed.publish();
      await caughtUp;
      await deleteRecoveryKey(home);
      if (options.name !== undefined) await updateConfig(home.config, { name: options.name });
      return { peer: this.id, fabric: hashId(joined.fabric.id), role: joined.role };
    } finally {
      this.#joining = false;
    }
  }

  /** Ends the present fabric here and makes the store that of the new one; where that fails the present one goes on. */
  async #leaveFor({ fabric, proof, addresses }: Joined): Promise<void> {
    const former = this.#run;
    await former.stop();
    try {
      const facts = { genesis: fabric.bytes, proof, addresses: [...addresses] };
      await this.#parts.notes.commit(membershipNotes(facts), { clearRecords: true });
    } catch (error) {
      this.#run = this.#newRun(former.fabric, former.replica.stored());
      await this.#run.start();
      throw error;
    }
  }

  async leave({ confirm = false }: { confirm?: boolean } = {}): Promise<LeaveInfo> {
    const { home, options } = this.#parts;
    const told = await sayFarewell(this.#run, { confirm, isOffline: options.offline ?? false });
    await this.stop();
    const archive = await archiveHome(home, Date.now());
    return { peer: this.id, fabric: hashId(this.#run.fabric.id), told, archive };
  }

  async snapshot(): Promise<string> {
    return makeSnapshot(this.#parts.store, this.#parts.home.stateDb);
  }

  recoveryWords(): Promise<string> {
    return showWords(this.#parts.home, this.#run.fabric);
  }

  /** Makes the fabric forget Things of earlier runs that nothing exposes any more. Call once all have been exposed. */
  forgetUnexposed(): Promise<void> {
    return this.#exposed.forgetOthers();
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#routing.close();
    this.#network?.interfaces.close();
    this.passes.held.close();
    await this.#exposed.close();
    await this.#run?.stop();
    await Promise.all([this.#network?.discovery?.close(), this.#network?.listener.close()]);
    await this.#parts.store.close();
  }

  #newRun(fabric: Fabric, stored: OpenedState): FabricRun {
    const { options, config, store, notes, journal, kept, logger } = this.#parts;
    return new FabricRun({
      fabric,
      stored,
      storedProof: storedProof(notes),
      signer: this.#signer,
      crypto: nodeCrypto,
      store,
      notes,
      journal,
      kept,
      name: this.#name,
      listen: this.#network?.listener.endpoint ?? { host: '127.0.0.1', port: 0 },
      dial: (endpoint, how) => dialTls(endpoint, this.#tls, how),
      discovery: this.#network?.discovery,
      interfaces: () => this.#network?.interfaces.current ?? [],
      bootstrap: [...(options.bootstrap ?? []), ...(config.bootstrap ?? [])].map(parseEndpoint),
      exposed: this.#exposed,
      others: () => this.passes.held.others(),
      connector: this.#routing,
      logger,
      activity: (activity) => this.#feed.tell(activity),
      sessionOpened: (peer) => this.#routing.resumeStreams(peer),
      followed: () => this.#routing.followed(),
      seenChanged: (ids) => this.#directoryChanges.tellThings(ids, this.#run.directory),
      changed: (change) => {
        this.#directoryChanges.tell([...change.records, ...change.removed], this.#run.directory);
        if (change.membership) this.#routing.resumeStreams();
        this.#exposed.recordsChanged(change);
      },
    });
  }

  #addressesOf(peer: PeerId): readonly string[] {
    return peer === this.id ? this.#ownAddresses() : (this.#run.directory.card(peer)?.addresses ?? []);
  }

  #ownAddresses(): string[] {
    return this.#network
      ? ownAddresses(this.#network.listener.endpoint, this.#network.interfaces.current)
      : [];
  }
}
