/**
 * Whole peers on networks of their own: hosts, switches and routers, with `althing up` running on each host.
 * Relies on the namespace lab and the process lab; talks to the peers over their gateways' unix sockets, which
 * namespaces do not keep apart, so that measuring disturbs no network.
 */
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GatewayClient } from '../../src/client/client.ts';
import { unixTransport } from '../../src/client/unix-transport.ts';
import type { ValueStream } from '../../src/client/value-stream.ts';
import type { Activity } from '../../src/core/api-shapes.ts';
import { canUseNetns, createLab, type Host, type Lab } from '../../src/testing/netns-lab.ts';
import { type LabPeer, ProcessLab } from '../../src/testing/process-lab.ts';
import { waitFor } from '../../src/testing/wait-for.ts';

const lampFile = fileURLToPath(new URL('./fixtures/lamp.js', import.meta.url));
/** IPv4 alone: an address then stands for a path, and tests can tell which one was taken. */
const listen = '0.0.0.0:7421';
const readTimeoutMs = 1000;

/** A filter for a host: multicast neither leaves nor enters it. */
export const blockMulticast = `table inet block {
  chain in { type filter hook input priority 0; ip daddr 224.0.0.0/4 drop; }
  chain out { type filter hook output priority 0; ip daddr 224.0.0.0/4 drop; }
}`;

/** How a peer on a host is started. */
export interface NetPeerOptions {
  /** Whether it exposes the lamp. */
  readonly lamp?: boolean;
  readonly bootstrap?: readonly string[];
}

/** The networks and peers of one test. */
export class PeerNet {
  readonly net: Lab;
  readonly #processes = new ProcessLab();
  readonly #peers: NetPeer[] = [];

  constructor(net: Lab) {
    this.net = net;
  }

  /** A switch `s1`, and hosts on it with the addresses 10.1.0.1, 10.1.0.2, ... */
  async hostsOnOneSwitch(...names: string[]): Promise<Host[]> {
    const s1 = await this.net.switch('s1');
    const hosts: Host[] = [];
    for (const [index, name] of names.entries()) {
      const host = await this.net.host(name);
      await this.net.connect(host, s1, `10.1.0.${index + 1}/24`);
      hosts.push(host);
    }
    return hosts;
  }

  /** Starts a peer on a host, named after it. */
  async start(host: Host, options: NetPeerOptions = {}): Promise<NetPeer> {
    const args = [
      ...(options.lamp ? ['--things', lampFile] : []),
      ...(options.bootstrap ?? []).flatMap((address) => ['--bootstrap', address]),
    ];
    const peer = new NetPeer(
      host,
      await this.#processes.startPeer({
        prefix: ['ip', 'netns', 'exec', host.namespace],
        name: host.name,
        listen,
        mdns: true,
        args,
      }),
    );
    this.#peers.push(peer);
    await peer.listen();
    return peer;
  }

  /** Starts a founder on the first host and members on the others, all in session with each other. */
  async fabricOn(hosts: readonly Host[], options: Record<string, NetPeerOptions> = {}): Promise<NetPeer[]> {
    const [founder, ...others] = await Promise.all(hosts.map((host) => this.start(host, options[host.name])));
    const { ticket } = await founder!.client.invite({ uses: others.length + 1 });
    for (const peer of others) await peer.client.join(ticket);
    const all = [founder!, ...others];
    await everybodyOnline(all);
    return all;
  }

  async close(): Promise<void> {
    for (const peer of this.#peers) peer.leave();
    await this.#processes.close();
    await this.net.close();
  }
}

/** A peer on a host: its process, its gateway, and all that it has reported of itself. */
export class NetPeer {
  readonly host: Host;
  readonly process: LabPeer;
  readonly client: GatewayClient;
  readonly activities: Activity[] = [];
  #feed: ValueStream<Activity> | undefined;

  constructor(host: Host, process: LabPeer) {
    this.host = host;
    this.process = process;
    const { socket } = process.ready.gateway;
    this.client = new GatewayClient(unixTransport({ socketPath: socket, home: process.home }));
  }

  get name(): string {
    return this.host.name;
  }

  get id(): string {
    return this.process.id;
  }

  /** The id of the lamp that it exposes, or would. */
  get lamp(): string {
    return `urn:althing:${this.id}:lamp`;
  }

  /** Begins to collect its activity. */
  async listen(): Promise<void> {
    this.#feed = await this.client.activity();
    void this.#collect(this.#feed);
  }

  /** Stops collecting. */
  leave(): void {
    void this.#feed?.return();
  }

  async kill(): Promise<void> {
    await this.process.kill('SIGKILL');
  }

  /** Starts it again on its home. */
  async startAgain(): Promise<void> {
    await this.process.start();
    await this.listen();
  }

  /** When, in milliseconds since 1970, it reported a session with `other` as begun or ended, at `since` or later. */
  async reported(kind: 'session-up' | 'session-down', other: NetPeer, since: number): Promise<number> {
    const found = await waitFor(
      () =>
        this.activities.find(
          (one) => one.kind === kind && one.peer === other.id && Date.parse(one.time) >= since,
        ),
      { what: () => `"${kind}" with ${other.name} at ${this.name}; ${this.describe()}` },
    );
    return Date.parse(found.time);
  }

  /** Whether it is in session with `other`, by its own word. */
  async isOnline(other: NetPeer): Promise<boolean> {
    const peers = await this.client.peers();
    return peers.some(({ peer, state }) => peer === other.id && state === 'online');
  }

  /** The address of its session with `other`, `host:port`. */
  async addressOf(other: NetPeer): Promise<string | null> {
    const peers = await this.client.peers();
    return peers.find(({ peer }) => peer === other.id)?.address ?? null;
  }

  /** Reads the lamp of `other` until that succeeds; the time at which it did, milliseconds since 1970. */
  async usedLampOf(other: NetPeer): Promise<number> {
    let refusal: unknown;
    return waitFor(
      async () => {
        try {
          await this.client.readProperty(other.lamp, 'on', { timeoutMs: readTimeoutMs });
          return Date.now();
        } catch (error) {
          refusal = error;
          return false;
        }
      },
      { timeoutMs: 20_000, what: () => `${this.name} to use ${other.name}: ${refusal}; ${this.describe()}` },
    );
  }

  describe(): string {
    const events = this.activities.slice(-20).map(({ time, kind, peer }) => `${time} ${kind} ${peer}`);
    return `${this.name} (${this.id}) said ${JSON.stringify(events, null, 1)}\n${this.process.process.stderr.slice(-4000)}`;
  }

  async #collect(feed: ValueStream<Activity>): Promise<void> {
    try {
      for await (const activity of feed) this.activities.push(activity);
    } catch {
      // The peer was killed: what it said before is here.
    }
  }
}

/** Resolves when each of these peers is in session with each other one. */
export const everybodyOnline = async (peers: readonly NetPeer[]): Promise<void> => {
  for (const one of peers)
    for (const other of peers)
      if (one !== other)
        await waitFor(() => one.isOnline(other), {
          what: () =>
            `${one.name} and ${other.name} to be in session; ${one.describe()}\n${other.describe()}`,
        });
};

/** The networks of one test, taken down after it; undefined, and the test skipped, where none can be made. */
export const peerNet = async (
  t: TestContext,
  options: { nft?: boolean } = {},
): Promise<PeerNet | undefined> => {
  const support = await canUseNetns(options);
  if (!support.ok) {
    console.error(`SKIPPED "${t.name}": ${support.reason}`);
    t.skip(support.reason);
    return undefined;
  }
  const made = new PeerNet(await createLab());
  t.after(() => made.close());
  return made;
};
