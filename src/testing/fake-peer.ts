/**
 * A PeerApi without a network: one lamp, a fabric of two members, tokens in the open. For tests of what sits on a peer.
 * Relies on nothing but the seams; it records what it was asked and does what the test tells it to.
 */
import type {
  Activity,
  DoctorReport,
  InviteInfo,
  InviteRequest,
  JoinInfo,
  PeerInfo,
  Scope,
  SelfInfo,
  ShadowInfo,
  ShareEntry,
  ThingInfo,
} from '../core/api-shapes.ts';
import { AlthingError } from '../core/errors.ts';
import type { LeaveInfo } from '../core/governance-shapes.ts';
import { type PeerId, peerIdOf, thingIdOf } from '../core/ids.ts';
import type { DirectoryChange, PeerApi, TokenApi } from '../peer/peer-api.ts';
import type { PassesApi } from '../peer/sharing/passes.ts';
import type {
  CallOptions,
  RequestOperation,
  StreamHandle,
  StreamOperation,
  StreamSink,
  ThingCall,
} from '../thing/operations.ts';
import type { ActionStatus, Cause, ThingFilter, Wot } from '../thing/scripting-api.ts';
import type { ThingDescription } from '../thing/thing-description.ts';
import { FakeGovernance } from './fake-governance.ts';
import { FakeRules } from './fake-rules.ts';

export const fakePeerId: PeerId = peerIdOf(new Uint8Array(32).fill(7));
export const lampId = thingIdOf(fakePeerId, 'lamp');
/** The smallest PNG signature, as what the lamp's camera gives. */
export const snapshotBytes = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);

const form = { href: `althing://${fakePeerId}/lamp` };

/** The lamp's TD as records hold it: `althing:` forms only. */
export const lampTd: ThingDescription = {
  '@context': 'https://www.w3.org/2022/wot/td/v1.1',
  '@type': 'Light',
  id: lampId,
  title: 'Lamp',
  securityDefinitions: { nosec_sc: { scheme: 'nosec' } },
  security: 'nosec_sc',
  properties: {
    on: { type: 'boolean', observable: true, forms: [form] },
    level: { type: 'integer', minimum: 0, maximum: 100, observable: true, forms: [form] },
    temperature: {
      type: 'number',
      readOnly: true,
      uriVariables: { unit: { type: 'string', enum: ['C', 'F'] }, digits: { type: 'integer' } },
      forms: [form],
    },
    pin: { type: 'string', writeOnly: true, forms: [form] },
    snapshot: { readOnly: true, forms: [{ ...form, contentType: 'image/png' }] },
  },
  actions: {
    toggle: { forms: [form] },
    add: {
      input: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } } },
      output: { type: 'number' },
      forms: [form],
    },
    fade: { input: { type: 'object' }, synchronous: false, forms: [form] },
    hang: { output: { type: 'string' }, forms: [form] },
    burn: { forms: [form] },
  },
  events: { overheated: { data: { type: 'number' }, forms: [form] } },
};

interface OpenStream {
  readonly name: string;
  readonly sink: StreamSink;
}

/** What the fake was asked, in order. */
export interface SeenCall {
  readonly call: ThingCall;
  readonly options: CallOptions;
}

export class FakePeer implements PeerApi {
  readonly id = fakePeerId;
  readonly governance = new FakeGovernance();
  readonly rules = new FakeRules();
  readonly calls: SeenCall[] = [];
  readonly values: Record<string, unknown> = {
    on: false,
    level: 10,
    temperature: 21.5,
    snapshot: snapshotBytes,
  };
  readonly secrets = new Map<string, Scope>([
    ['read-token', 'read'],
    ['use-token', 'use'],
    ['manage-token', 'manage'],
  ]);
  descriptions: ThingDescription[] = [lampTd];
  /** Run of the lamp's streams; a new one is a restarted device. */
  run = 'r1';
  /** Thrown by every request and stream while set. */
  failure: AlthingError | undefined;
  /** How often a request's signal was aborted while it waited. */
  aborted = 0;
  readonly #streams = new Set<OpenStream>();
  readonly #seqs = new Map<string, number>();
  readonly #fades = new Map<string, ActionStatus>();
  readonly #directoryListeners = new Set<(change: DirectoryChange) => void>();
  readonly #activityListeners = new Set<(activity: Activity) => void>();
  readonly shared: ShareEntry[] = [];
  readonly passes: PassesApi = {
    share: async ({ things, operations = ['read'], affordances = null, uses = 1 }) => {
      const entry = {
        id: fakePeerId,
        things,
        operations,
        affordances,
        uses,
        expires: '2027-01-01T00:00:00.000Z',
        ended: false,
      };
      this.shared.push(entry);
      return { ...entry, ticket: 'althing:pass' };
    },
    shares: () => this.shared,
  };
  #wordsShown = false;
  #causes = 0;

  /** Streams and listeners that are open now. */
  get openStreams(): number {
    return this.#streams.size;
  }
  get openListeners(): number {
    return this.#directoryListeners.size + this.#activityListeners.size;
  }

  /** Gives a value to everyone who observes the property or subscribed to the event. */
  emit(name: string, value: unknown): void {
    if (name in this.values) this.values[name] = value;
    const seq = (this.#seqs.get(name) ?? 0) + 1;
    this.#seqs.set(name, seq);
    for (const stream of this.#streams)
      if (stream.name === name) stream.sink.next(value, { run: this.run, seq });
  }

  /** Gives an error to the streams of this name; all but `values-missed` end them. */
  fail(name: string, error: AlthingError): void {
    for (const stream of [...this.#streams]) {
      if (stream.name !== name) continue;
      if (error.code !== 'values-missed') this.#streams.delete(stream);
      stream.sink.error(error);
    }
  }

  changeDirectory(change: DirectoryChange): void {
    for (const listener of this.#directoryListeners) listener(change);
  }

  act(activity: Activity): void {
    for (const listener of this.#activityListeners) listener(activity);
  }

  async request(call: ThingCall<RequestOperation>, options: CallOptions = {}): Promise<unknown> {
    this.calls.push({ call, options });
    if (this.failure) throw this.failure;
    switch (call.op) {
      case 'readproperty':
        if (call.name === 'pin') throw new AlthingError('operation-unsupported', '"pin" cannot be read.');
        return this.values[call.name ?? ''];
      case 'writeproperty':
        return this.#write(call.name ?? '', call.input);
      case 'readallproperties':
        return { on: this.values.on, level: this.values.level, temperature: this.values.temperature };
      case 'readmultipleproperties':
        return Object.fromEntries((call.input as string[]).map((name) => [name, this.values[name]]));
      case 'writemultipleproperties':
        for (const [name, value] of Object.entries(call.input as object)) this.#write(name, value);
        return null;
      case 'invokeaction':
        return this.#invoke(call, options);
      case 'queryaction':
        return this.#fade(call.input);
      case 'cancelaction':
        this.#fades.delete(this.#fade(call.input).id);
        return null;
    }
  }

  async stream(
    call: ThingCall<StreamOperation>,
    sink: StreamSink,
    options: CallOptions = {},
  ): Promise<StreamHandle> {
    this.calls.push({ call, options });
    if (this.failure) throw this.failure;
    const stream = { name: call.name ?? '', sink };
    this.#streams.add(stream);
    return { stop: () => this.#streams.delete(stream) };
  }

  #write(name: string, value: unknown): null {
    if (name === 'level' && !(Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 100))
      throw new AlthingError('value-invalid', `"level" must be an integer from 0 to 100.`, {
        details: { path: '/level' },
      });
    this.values[name] = value;
    if (name === 'on' || name === 'level') this.emit(name, value);
    return null;
  }

  async #invoke(call: ThingCall, options: CallOptions): Promise<unknown> {
    const input = call.input as { a?: number; b?: number } | undefined;
    if (call.name === 'add') return (input?.a ?? 0) + (input?.b ?? 0);
    if (call.name === 'toggle') return this.#write('on', !this.values.on);
    if (call.name === 'burn')
      throw new AlthingError('handler-failed', 'The action "burn" of "Lamp" threw: it is hot.');
    if (call.name === 'fade') {
      const id = `fade-${this.#fades.size + 1}`;
      const status: ActionStatus = { id, status: 'running', timeRequested: '2025-01-01T00:00:00.000Z' };
      this.#fades.set(id, status);
      return status;
    }
    return new Promise((_resolve, reject) => {
      options.signal?.addEventListener('abort', () => {
        this.aborted += 1;
        reject(new AlthingError('cancelled', 'The caller gave up.'));
      });
    });
  }

  /** Makes a fade fail, as its device would say. */
  failFade(id: string): void {
    this.#fades.set(id, {
      ...this.#fade(id),
      status: 'failed',
      error: { code: 'handler-failed', message: 'The bulb is out.' },
      timeEnded: '2025-01-01T00:00:01.000Z',
    });
  }

  #fade(id: unknown): ActionStatus {
    const status = this.#fades.get(String(id));
    if (!status) throw new AlthingError('action-unknown', `There is no invocation "${id}".`);
    return status;
  }

  wotFor(): Wot {
    throw new AlthingError('internal', 'The fake peer has no Scripting API.');
  }

  newCause(origin: Cause['origin']): Cause {
    this.#causes += 1;
    return { id: `cause-${this.#causes}`, origin, peer: this.id };
  }

  self(): SelfInfo {
    return {
      peer: this.id,
      name: 'hall',
      fabric: 'ab'.repeat(32),
      fabricName: 'home',
      role: 'admin',
      gone: null,
      version: '0.1.0',
      listen: ['127.0.0.1:7421'],
      gateway: { socket: '', http: null },
    };
  }

  peers(): PeerInfo[] {
    const known = { role: 'member', lastSeen: null } as const;
    return [
      { ...known, peer: this.id, name: 'hall', state: 'self', rttMs: null, address: null, role: 'admin' },
      {
        ...known,
        peer: peerIdOf(new Uint8Array(32).fill(8)),
        name: 'attic',
        state: 'online',
        rttMs: 0.4,
        address: '127.0.0.1:7422',
      },
    ];
  }

  thingDescriptions(filter: ThingFilter = {}): ThingDescription[] {
    return this.descriptions.filter(
      (td) =>
        (filter.type === undefined || td['@type'] === filter.type) &&
        (filter.query === undefined ||
          `${td.id} ${td.title}`.toLowerCase().includes(filter.query.toLowerCase())),
    );
  }

  things(filter: ThingFilter = {}): ThingInfo[] {
    return this.thingDescriptions(filter).map((td) => ({
      id: td.id,
      title: td.title,
      types: [String(td['@type'])],
      peer: this.id,
      online: true,
    }));
  }

  async thingsRead(): Promise<void> {}

  resolveThing(name: string): ThingDescription {
    const wanted = name.toLowerCase().replace(/^hall\//, '');
    const found = this.descriptions.filter((td) => td.id === name || td.title.toLowerCase() === wanted);
    if (found.length > 1)
      throw new AlthingError('name-ambiguous', `"${name}" means ${found.length} Things.`, {
        details: { candidates: found.map((td) => td.id) },
      });
    if (!found[0]) throw new AlthingError('thing-unknown', `There is no Thing "${name}".`);
    return found[0];
  }

  lastKnown(thing: string): ShadowInfo {
    if (thing !== lampId) throw new AlthingError('value-unknown', 'Nothing is known here of its values.');
    const time = '2025-01-01T00:00:00.000Z';
    return { thing, properties: { level: { value: 10, time, ageMs: 720_000 } }, omitted: ['snapshot'] };
  }

  onDirectoryChange(listener: (change: DirectoryChange) => void): () => void {
    this.#directoryListeners.add(listener);
    return () => this.#directoryListeners.delete(listener);
  }

  report(activity: Omit<Activity, 'time'>): void {
    for (const listener of this.#activityListeners)
      listener({ time: new Date(0).toISOString(), ...activity });
  }

  onActivity(listener: (activity: Activity) => void): () => void {
    this.#activityListeners.add(listener);
    return () => this.#activityListeners.delete(listener);
  }

  async invite(request: InviteRequest): Promise<InviteInfo> {
    return {
      ticket: 'althing:ticket',
      id: 'invite-1',
      role: request.role ?? 'member',
      uses: request.uses ?? 1,
      expires: '2025-01-02T00:00:00.000Z',
    };
  }

  async join(ticket: string): Promise<JoinInfo> {
    if (!ticket.startsWith('althing:')) throw new AlthingError('ticket-invalid', 'This is no ticket.');
    return { peer: this.id, fabric: 'cd'.repeat(32), role: 'member' };
  }

  async leave({ confirm = false }: { confirm?: boolean } = {}): Promise<LeaveInfo> {
    if (!confirm) throw new AlthingError('admins-too-few', 'This device is the only admin.');
    return { peer: this.id, fabric: 'ab'.repeat(32), told: [], archive: '/home/left-2025' };
  }

  readonly tokens: TokenApi = {
    create: async (scope) => {
      const token = `made-${this.secrets.size}`;
      this.secrets.set(token, scope);
      return { token, id: token, scope };
    },
    list: () => [...this.secrets].map(([id, scope]) => ({ id, scope, created: '2025-01-01T00:00:00.000Z' })),
    revoke: async (id) => {
      if (!this.secrets.delete(id)) throw new AlthingError('token-unknown', `There is no token "${id}".`);
    },
    check: (token) => this.secrets.get(token),
  };

  async snapshot(): Promise<string> {
    return '/home/state.db.0.snapshot';
  }

  async doctor(): Promise<DoctorReport> {
    return { healthy: true, findings: [{ check: 'disk', level: 'ok', message: 'Fine.', advice: null }] };
  }

  async recoveryWords(): Promise<string> {
    if (this.#wordsShown) throw new AlthingError('recovery-shown', 'The words were shown before.');
    this.#wordsShown = true;
    return 'abandon ability able';
  }

  async stop(): Promise<void> {}
}
