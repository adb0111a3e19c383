/**
 * A typed client of a gateway: a method a route, for the command line, the dashboard and programs.
 * Relies on a transport passed in and on nothing of Node's, so that browsers can load it.
 */
import type {
  Activity,
  DoctorReport,
  InviteInfo,
  InviteRequest,
  JoinInfo,
  NewToken,
  PeerInfo,
  Problem,
  Scope,
  SelfInfo,
  ShadowInfo,
  ShareEntry,
  ShareInfo,
  ShareRequest,
  ThingInfo,
  TokenInfo,
} from '../core/api-shapes.ts';
import { AlthingError, type ErrorCode, isErrorCode } from '../core/errors.ts';
import type { ActionStatus } from '../thing/scripting-api.ts';
import type { ThingDescription } from '../thing/thing-description.ts';
import { parseJson, readBytes } from './answer.ts';
import { GovernanceClient } from './governance-client.ts';
import { RulesClient } from './rules-client.ts';
import type { Transport, TransportRequest, TransportResponse } from './transport.ts';
import { type StreamOptions, type ValueStream, valueStream } from './value-stream.ts';

/** Options of every method. */
export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** How long the gateway may wait for the device, in milliseconds (default 10 000). */
  readonly timeoutMs?: number;
}

/** Options where the affordance may have uriVariables. */
export interface AffordanceOptions extends RequestOptions {
  readonly uriVariables?: Readonly<Record<string, unknown>>;
}

/** Which Things. */
export interface ThingsFilter {
  readonly type?: string;
  readonly query?: string;
  readonly room?: string;
}

/** Which directory change, and of which Thing. */
export interface ThingChange {
  readonly kind: 'thing_created' | 'thing_updated' | 'thing_deleted';
  readonly id: string;
}

/** An ActionStatus with the address at which the gateway has it. */
export type ActionStatusAt = ActionStatus & { readonly href: string };

type Query = Readonly<Record<string, unknown>>;

/**
 * A gateway's client. Things are named by id, except for `resolve`. Every method throws what the gateway answers,
 * as an AlthingError with the problem's code, and the transport's `not-running`, `connection-lost`, `cancelled`.
 */
export class GatewayClient {
  readonly #transport: Transport;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param options `origin`: what causes say began the requests; believed on the unix socket only */
  constructor(transport: Transport, options: { origin?: 'cli' } = {}) {
    this.#transport = transport;
    this.#headers = options.origin ? { 'althing-origin': options.origin } : {};
  }

  self(options?: RequestOptions): Promise<SelfInfo> {
    return this.#get('/peer', {}, options);
  }

  peers(options?: RequestOptions): Promise<PeerInfo[]> {
    return this.#get('/peers', {}, options);
  }

  things(filter: ThingsFilter = {}, options?: RequestOptions): Promise<ThingInfo[]> {
    const { query, ...rest } = filter;
    return this.#get('/things', { ...rest, q: query, view: 'summary' }, options);
  }

  thingDescriptions(filter: ThingsFilter = {}, options?: RequestOptions): Promise<ThingDescription[]> {
    const { query, ...rest } = filter;
    return this.#get('/things', { ...rest, q: query }, options);
  }

  /** The TD of a Thing by its id. Throws `thing-unknown`. */
  thingDescription(id: string, options?: RequestOptions): Promise<ThingDescription> {
    return this.#get(pathOf('things', id), {}, options);
  }

  /** The TD of a Thing by id, unique title or local name, or `peer/name`. Throws `thing-unknown`, `name-ambiguous`. */
  resolve(name: string, options?: RequestOptions): Promise<ThingDescription> {
    return this.#get(pathOf('resolve', name), {}, options);
  }

  /** A property's value: bytes where the device declares another media type than JSON. */
  readProperty(thing: string, name: string, options?: AffordanceOptions): Promise<unknown> {
    return this.#get(pathOf('things', thing, 'properties', name), options?.uriVariables ?? {}, options);
  }

  readAllProperties(thing: string, options?: RequestOptions): Promise<Record<string, unknown>> {
    return this.#get(pathOf('things', thing, 'properties'), {}, options);
  }

  readMultipleProperties(
    thing: string,
    names: readonly string[],
    options?: RequestOptions,
  ): Promise<Record<string, unknown>> {
    return this.#get(pathOf('things', thing, 'properties'), { name: names }, options);
  }

  /** The last known values of a Thing, online or not. Throws `thing-unknown`, `value-unknown` where there are none. */
  lastKnown(thing: string, options?: RequestOptions): Promise<ShadowInfo> {
    return this.#get(pathOf('things', thing, 'shadow'), {}, options);
  }

  async writeProperty(
    thing: string,
    name: string,
    value: unknown,
    options?: AffordanceOptions,
  ): Promise<void> {
    await this.#send('PUT', pathOf('things', thing, 'properties', name), value, options);
  }

  async writeMultipleProperties(
    thing: string,
    values: Readonly<Record<string, unknown>>,
    options?: RequestOptions,
  ): Promise<void> {
    await this.#send('PUT', pathOf('things', thing, 'properties'), values, options);
  }

  /** An action's output, null where it has none; an ActionStatusAt where the TD says `synchronous: false`. */
  invokeAction(thing: string, name: string, input?: unknown, options?: AffordanceOptions): Promise<unknown> {
    return this.#send('POST', pathOf('things', thing, 'actions', name), input, options);
  }

  /** Throws `action-unknown`. */
  async queryAction(
    thing: string,
    name: string,
    invocation: string,
    options?: RequestOptions,
  ): Promise<ActionStatusAt> {
    const path = pathOf('things', thing, 'actions', name, invocation);
    const { error, ...status } = await this.#get<ActionStatusAt & { error?: unknown }>(path, {}, options);
    const problem = error as Problem | undefined;
    return { ...status, ...(problem && { error: { code: problem.code, message: problem.detail } }) };
  }

  async cancelAction(
    thing: string,
    name: string,
    invocation: string,
    options?: RequestOptions,
  ): Promise<void> {
    await this.#exchange('DELETE', pathOf('things', thing, 'actions', name, invocation), options);
  }

  /** Resolves once the device has accepted; the values come in order, each once, until the stream is left. */
  observeProperty(
    thing: string,
    name: string,
    options?: AffordanceOptions & StreamOptions,
  ): Promise<ValueStream<unknown>> {
    return this.#stream(pathOf('things', thing, 'properties', name), options, (data) => data);
  }

  /** As `observeProperty`, with the data of an event. */
  subscribeEvent(
    thing: string,
    name: string,
    options?: AffordanceOptions & StreamOptions,
  ): Promise<ValueStream<unknown>> {
    return this.#stream(pathOf('things', thing, 'events', name), options, (data) => data);
  }

  /** Changes of the directory as they come. */
  directoryChanges(options?: RequestOptions & StreamOptions): Promise<ValueStream<ThingChange>> {
    return this.#stream('/events', options, (data, kind) => ({
      kind: kind as ThingChange['kind'],
      id: (data as { id: string }).id,
    }));
  }

  /** What the peer does and sees, as it happens. */
  activity(options?: RequestOptions & StreamOptions): Promise<ValueStream<Activity>> {
    return this.#stream('/activity', options, (data) => data as Activity);
  }

  /** Throws `not-admin`, `bad-input`. */
  invite(request: InviteRequest = {}, options?: RequestOptions): Promise<InviteInfo> {
    return this.#send('POST', '/invites', request, options) as Promise<InviteInfo>;
  }

  /** Throws `not-admin`, `bad-input`, `thing-unknown`, `name-ambiguous`, `affordance-unknown`. */
  share(request: ShareRequest, options?: RequestOptions): Promise<ShareInfo> {
    return this.#send('POST', '/shares', request, options) as Promise<ShareInfo>;
  }

  shares(options?: RequestOptions): Promise<ShareEntry[]> {
    return this.#get('/shares', {}, options);
  }

  /** Throws the ticket, invite and pass codes, `already-in-fabric`, `join-unreachable`. */
  join(ticket: string, options: RequestOptions & { name?: string } = {}): Promise<JoinInfo> {
    const { name, ...rest } = options;
    return this.#send('POST', '/join', { ticket, ...(name && { name }) }, rest) as Promise<JoinInfo>;
  }

  createToken(scope: Scope, options?: RequestOptions): Promise<NewToken> {
    return this.#send('POST', '/tokens', { scope }, options) as Promise<NewToken>;
  }

  tokens(options?: RequestOptions): Promise<TokenInfo[]> {
    return this.#get('/tokens', {}, options);
  }

  /** Throws `token-unknown`. */
  async revokeToken(id: string, options?: RequestOptions): Promise<void> {
    await this.#exchange('DELETE', pathOf('tokens', id), options);
  }

  /** Makes the peer write all that it has stored into a file in its home; resolves with its path. Remove it. */
  async snapshot(options?: RequestOptions): Promise<string> {
    return ((await this.#send('POST', '/snapshots', undefined, options)) as { path: string }).path;
  }

  /** What is wrong with the peer and what to do. */
  doctor(options?: RequestOptions): Promise<DoctorReport> {
    return this.#get('/doctor', {}, options);
  }

  /** The recovery words, once. Throws `recovery-shown`. */
  async recoveryWords(options?: RequestOptions): Promise<string> {
    return ((await this.#send('POST', '/recovery', undefined, options)) as { words: string }).words;
  }

  /** Members, roles, invites, grants, revocation, recovery. */
  get governance(): GovernanceClient {
    return new GovernanceClient((method, path, body) => this.#exchange(method, path, {}, body));
  }

  /** Rules, what they did and why, scenes, the place of the fabric. */
  get rules(): RulesClient {
    return new RulesClient((method, path, body) => this.#exchange(method, path, {}, body));
  }

  async #get<T>(path: string, query: Query, options: RequestOptions = {}): Promise<T> {
    return (await this.#exchange('GET', path + queryOf(query), options)) as T;
  }

  #send(
    method: 'PUT' | 'POST',
    path: string,
    body: unknown,
    options: AffordanceOptions = {},
  ): Promise<unknown> {
    return this.#exchange(method, path + queryOf(options.uriVariables ?? {}), options, body);
  }

  async #exchange(
    method: TransportRequest['method'],
    path: string,
    options: RequestOptions = {},
    body?: unknown,
  ): Promise<unknown> {
    const response = await this.#open(method, path, options, body);
    const bytes = await readBytes(response);
    if (response.status === 204) return null;
    const type = response.header('content-type') ?? '';
    return /^application\/([a-z-]+\+)?json/.test(type) ? parseJson(bytes) : bytes;
  }

  async #stream<T>(
    path: string,
    options: (AffordanceOptions & StreamOptions) | undefined = {},
    read: (data: unknown, event: string) => T,
  ): Promise<ValueStream<T>> {
    const address = path + queryOf(options.uriVariables ?? {});
    const left = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
    const response = await this.#open('GET', address, { ...options, signal }, undefined, 'text/event-stream');
    return valueStream(response.body, () => left.abort(), read, options);
  }

  /** Sends a request; answers other than 2xx are thrown as what their problem says. */
  async #open(
    method: TransportRequest['method'],
    path: string,
    options: RequestOptions,
    body: unknown,
    accept?: string,
  ): Promise<TransportResponse> {
    const bytes = body instanceof Uint8Array;
    const response = await this.#transport({
      method,
      path,
      headers: {
        ...this.#headers,
        ...(accept && { accept }),
        ...(body === undefined
          ? {}
          : { 'content-type': bytes ? 'application/octet-stream' : 'application/json' }),
        ...(options.timeoutMs === undefined ? {} : { 'althing-timeout': String(options.timeoutMs) }),
      },
      ...(body === undefined ? {} : { body: bytes ? new Uint8Array(body) : JSON.stringify(body) }),
      ...(options.signal && { signal: options.signal }),
    });
    if (response.status >= 200 && response.status < 300) return response;
    throw errorOf(response.status, await readBytes(response));
  }
}

/** The error that an answer carries. */
const errorOf = (status: number, bytes: Uint8Array): AlthingError => {
  let problem: Partial<Problem>;
  try {
    problem = (parseJson(bytes) ?? {}) as Partial<Problem>;
  } catch {
    // Not a gateway's answer: said below.
    problem = {};
  }
  if (typeof problem.code !== 'string')
    return new AlthingError('protocol-error', `The gateway answered ${status} without problem details.`);
  const code: ErrorCode = isErrorCode(problem.code) ? problem.code : 'protocol-error';
  return new AlthingError(code, problem.detail ?? problem.code, {
    ...(problem.details && { details: problem.details }),
  });
};

const pathOf = (...segments: string[]): string => `/${segments.map(encodeURIComponent).join('/')}`;

const queryOf = (query: Query): string => {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const one of Array.isArray(value) && value.every((item) => typeof item === 'string')
      ? value
      : [value])
      if (one !== undefined)
        parameters.append(name, typeof one === 'object' ? JSON.stringify(one) : String(one));
  return parameters.size === 0 ? '' : `?${parameters}`;
};
