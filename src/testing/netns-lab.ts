/**
 * Networks for tests, of real kernels' making: hosts, switches, routers and NATs as Linux network namespaces.
 * Relies on root, `ip` (iproute2) and, for filters and NAT, `nft` (nftables); see `canUseNetns`.
 */
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { AlthingError } from '../core/errors.ts';
import { type RunResult, run, spawnIn } from './netns-command.ts';

let labCount = 0;
const namePattern = /^al(\d+)-\d+-/;

/** Whether this machine can build a lab; if not, why. */
export type NetnsSupport = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Tries it out: makes a namespace and removes it. With `nft`, also a table in it. */
export const canUseNetns = async (options: { nft?: boolean } = {}): Promise<NetnsSupport> => {
  if (process.platform !== 'linux') return { ok: false, reason: 'network namespaces exist on Linux only' };
  if (process.getuid?.() !== 0) return { ok: false, reason: 'network namespaces need root' };
  const name = `al${process.pid}-0-probe${labCount++}`;
  try {
    await run('ip', ['netns', 'add', name]);
    if (options.nft) await run('ip', ['netns', 'exec', name, 'nft', 'add', 'table', 'inet', 'probe']);
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: `${(error as Error).message} (apt-get install iproute2 nftables)` };
  } finally {
    // Where the namespace was not made there is none to remove.
    await run('ip', ['netns', 'delete', name]).catch(() => {});
  }
};

/** One namespace. Commands and processes started in it see only its interfaces. */
class Namespace {
  readonly name: string;
  readonly namespace: string;
  readonly #lab: Lab;
  #interfaces = 0;

  constructor(lab: Lab, name: string, namespace: string) {
    this.#lab = lab;
    this.name = name;
    this.namespace = namespace;
  }

  /** A name for this namespace's next interface: `eth0`, `eth1`, ... */
  nextInterface(): string {
    return `eth${this.#interfaces++}`;
  }

  /** Runs `ip` on this namespace. */
  async ip(...args: string[]): Promise<string> {
    return (await run('ip', ['-n', this.namespace, ...args])).stdout;
  }

  /** Runs a command to its end. Throws `internal` with its stderr where it fails or exceeds `timeoutMs` (10 s). */
  exec(
    command: string,
    args: readonly string[],
    options?: { timeoutMs?: number; input?: string },
  ): Promise<RunResult> {
    return run('ip', ['netns', 'exec', this.namespace, command, ...args], options);
  }

  /** Starts a process; the lab kills it when it closes. `ip` replaces itself by it, so pid and signals are its own. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawnIn(this.namespace, command, args, options);
    this.#lab.own(child);
    return child;
  }

  /** Loads an nftables script, as `nft -f` takes it. */
  async nft(rules: string): Promise<void> {
    await this.exec('nft', ['-f', '-'], { input: rules });
  }
}

/** A device: one namespace with an interface per link. */
export class Host extends Namespace {
  /** Routes everything that is on no network of its own through this address. */
  async defaultRoute(via: string): Promise<void> {
    await this.ip('route', 'replace', 'default', 'via', via);
  }
}

/** A host that forwards between its networks (IPv4). */
export class Router extends Host {
  /** Hides everything that leaves by this link behind the link's own address, and lets nothing in unasked. */
  async nat(outside: Link): Promise<void> {
    await this.nft(`
      table ip nat {
        chain post { type nat hook postrouting priority 100; oifname "${outside.device}" masquerade; }
        chain forward {
          type filter hook forward priority 0; policy accept;
          iifname "${outside.device}" ct state established,related accept
          iifname "${outside.device}" drop
        }
      }`);
  }
}

/** An Ethernet switch: a bridge in a namespace of its own. */
export class Switch extends Namespace {}

/** A cable between a host and a switch. */
export class Link {
  readonly host: Host;
  readonly switch: Switch;
  /** The interface's name at the host. */
  readonly device: string;
  readonly #port: string;

  constructor(host: Host, into: Switch, device: string, port: string) {
    this.host = host;
    this.switch = into;
    this.device = device;
    this.#port = port;
  }

  /** Pulls the cable out at the switch: the host's interface loses its carrier and keeps its addresses. */
  async unplug(): Promise<void> {
    await this.switch.ip('link', 'set', this.#port, 'down');
  }

  async plug(): Promise<void> {
    await this.switch.ip('link', 'set', this.#port, 'up');
  }

  /** Replaces the host's IPv4 addresses on this link by one, given as `10.1.0.1/24`. */
  async changeAddress(cidr: string): Promise<void> {
    await this.host.ip('-4', 'address', 'flush', 'dev', this.device);
    await this.host.ip('address', 'add', cidr, 'dev', this.device);
  }
}

/** A cable between two switches: no host sees whether it is in. */
export class Trunk {
  readonly #from: Switch;
  readonly #port: string;

  constructor(from: Switch, port: string) {
    this.#from = from;
    this.#port = port;
  }

  async unplug(): Promise<void> {
    await this.#from.ip('link', 'set', this.#port, 'down');
  }

  async plug(): Promise<void> {
    await this.#from.ip('link', 'set', this.#port, 'up');
  }
}

/** A set of namespaces that is removed as a whole. */
export class Lab {
  readonly #prefix = `al${process.pid}-${++labCount}-`;
  readonly #namespaces: string[] = [];
  readonly #children = new Set<ChildProcess>();
  readonly #onExit = (): void => this.#destroyNow();
  #closing: Promise<void> | undefined;

  constructor() {
    process.once('exit', this.#onExit);
  }

  /** A host with nothing but loopback. */
  async host(name: string): Promise<Host> {
    return this.#withLoopback(new Host(this, name, await this.#namespace(name)));
  }

  /** A host that forwards. */
  async router(name: string): Promise<Router> {
    const router = await this.#withLoopback(new Router(this, name, await this.#namespace(name)));
    await router.exec('sh', ['-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
    return router;
  }

  async switch(name: string): Promise<Switch> {
    const made = new Switch(this, name, await this.#namespace(name));
    await made.ip('link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
    await made.ip('link', 'set', 'br0', 'up');
    return made;
  }

  /** A cable from a new interface of `host`, with the IPv4 or IPv6 address `cidr`, to a new port of `into`. No route. */
  async connect(host: Host, into: Switch, cidr: string): Promise<Link> {
    const device = host.nextInterface();
    const port = into.nextInterface();
    const far = ['peer', 'name', port, 'netns', into.namespace];
    // Where both ends happen to have one index, the kernel reports a carrier up to a second late: keep them apart.
    const index = String(1000 + Number(device.slice('eth'.length)));
    const near = [device, 'index', index, 'netns', host.namespace];
    await run('ip', ['link', 'add', ...near, 'type', 'veth', ...far]);
    await into.ip('link', 'set', port, 'master', 'br0', 'up');
    // Duplicate address detection would keep an IPv6 address unusable for a second.
    const fresh = cidr.includes(':') ? ['nodad'] : [];
    await host.ip('address', 'add', cidr, 'dev', device, ...fresh);
    await host.ip('link', 'set', device, 'up');
    return new Link(host, into, device, port);
  }

  /** A cable from a new port of one switch to a new port of another. */
  async trunk(from: Switch, to: Switch): Promise<Trunk> {
    const [near, far] = [from.nextInterface(), to.nextInterface()];
    const peer = ['peer', 'name', far, 'netns', to.namespace];
    await run('ip', ['link', 'add', near, 'index', '2000', 'netns', from.namespace, 'type', 'veth', ...peer]);
    await from.ip('link', 'set', near, 'master', 'br0', 'up');
    await to.ip('link', 'set', far, 'master', 'br0', 'up');
    return new Trunk(from, near);
  }

  /** Kills every process that was started here and removes every namespace. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Takes over a child: it is killed at the latest when the lab closes. */
  own(child: ChildProcess): void {
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
  }

  async #close(): Promise<void> {
    const ended = [...this.#children].map((child) =>
      child.pid === undefined ? undefined : once(child, 'close'),
    );
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(ended);
    for (const namespace of this.#namespaces) await removeNamespace(namespace);
    process.off('exit', this.#onExit);
  }

  async #namespace(name: string): Promise<string> {
    if (!/^[a-z0-9]{1,16}$/.test(name))
      throw new AlthingError(
        'bad-input',
        `"${name}" cannot name a part of a lab: use a-z and 0-9, at most 16.`,
      );
    const namespace = this.#prefix + name;
    await run('ip', ['netns', 'add', namespace]);
    this.#namespaces.push(namespace);
    return namespace;
  }

  async #withLoopback<N extends Namespace>(namespace: N): Promise<N> {
    await namespace.ip('link', 'set', 'lo', 'up');
    return namespace;
  }

  #destroyNow(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const namespace of this.#namespaces) {
      try {
        execFileSync('ip', ['netns', 'delete', namespace], { stdio: 'ignore' });
      } catch {
        // The process is ending and nothing more can be done; the next lab removes what is left.
      }
    }
  }
}

/** Kills what still runs in a namespace, then removes it. */
const removeNamespace = async (namespace: string): Promise<void> => {
  const { stdout } = await run('ip', ['netns', 'pids', namespace]);
  for (const pid of stdout.split(/\s+/).filter(Boolean)) killNow(Number(pid));
  await run('ip', ['netns', 'delete', namespace]);
};

const killNow = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

/** Removes what labs of processes that no longer exist have left behind. */
const removeLeftovers = async (): Promise<void> => {
  const { stdout } = await run('ip', ['netns', 'list']);
  for (const line of stdout.split('\n')) {
    const pid = namePattern.exec(line)?.[1];
    const namespace = line.split(' ')[0];
    if (pid === undefined || !namespace || isAlive(Number(pid))) continue;
    // Another test process may be removing the same one.
    await removeNamespace(namespace).catch(() => {});
  }
};

/** An empty lab. Throws `internal` where `canUseNetns` says no. Close it in any case. */
export const createLab = async (): Promise<Lab> => {
  await removeLeftovers();
  return new Lab();
};
