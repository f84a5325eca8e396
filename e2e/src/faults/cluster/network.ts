import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

const NAMESPACES = '/var/run/netns';

export type PacketFault = 'in' | 'out' | 'both';

/**
 * Hosts of their own on one machine: a network namespace for each worker, on a bridge that has the schedulers on its
 * other side. What happens to packets there is done by the kernel (iptables), as on a real network. Needs root.
 */
export class Network {
  readonly #bridge = `orc${process.pid}`;
  readonly #subnet = `10.${78 + (process.pid % 100)}.${(process.pid >> 8) % 250}`;
  readonly #hosts = new Map<string, string>();

  static create(): Network {
    removeLeftovers();
    const network = new Network();
    ip('link', 'add', network.#bridge, 'type', 'bridge');
    ip('addr', 'add', `${network.address}/24`, 'dev', network.#bridge);
    ip('link', 'set', network.#bridge, 'up');
    return network;
  }

  /** Where the schedulers listen. */
  get address(): string {
    return `${this.#subnet}.254`;
  }

  /** What to put before a program so that it runs on that host. Only its network is another: not /sys, as `ip netns exec` would. */
  launcher(host: string): string[] {
    return ['nsenter', `--net=${NAMESPACES}/${this.#nameOf(host)}`, '--'];
  }

  addHost(host: string): void {
    const number = this.#hosts.size + 1;
    const name = `orc-${process.pid}-${number}`;
    const end = `v${process.pid}.${number}`;
    this.#hosts.set(host, name);
    ip('netns', 'add', name);
    ip('link', 'add', end, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('link', 'set', end, 'master', this.#bridge, 'up');
    ip('-n', name, 'addr', 'add', `${this.#subnet}.${number}/24`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }

  /** Packets of this direction (as the host sees it) are dropped: all, or this share of them. */
  drop(host: string, direction: PacketFault, share = 1): void {
    const some = share >= 1 ? [] : ['-m', 'statistic', '--mode', 'random', '--probability', String(share)];
    for (const [chain, side] of [
      ['INPUT', 'in'],
      ['OUTPUT', 'out'],
    ] as const) {
      if (direction === 'both' || direction === side) {
        this.#iptables(host, '-A', chain, ...some, '-j', 'DROP');
      }
    }
  }

  heal(host: string): void {
    this.#iptables(host, '-F');
  }

  remove(): void {
    for (const name of this.#hosts.values()) {
      ip('netns', 'del', name);
    }
    ip('link', 'del', this.#bridge);
  }

  #iptables(host: string, ...args: string[]): void {
    run('ip', 'netns', 'exec', this.#nameOf(host), 'iptables', ...args);
  }

  #nameOf(host: string): string {
    const name = this.#hosts.get(host);
    if (name === undefined) {
      throw new Error(`there is no host ${host} in this network`);
    }
    return name;
  }
}

/** Of runs that were killed: their names carry their process' id. */
function removeLeftovers(): void {
  const names = existsSync(NAMESPACES) ? readdirSync(NAMESPACES) : [];
  const owners = new Set(names.flatMap((name) => /^orc-(\d+)-\d+$/.exec(name)?.[1] ?? []));
  for (const owner of [...owners].filter((pid) => !existsSync(`/proc/${pid}`))) {
    names.filter((name) => name.startsWith(`orc-${owner}-`)).forEach((name) => ip('netns', 'del', name));
    ip('link', 'del', `orc${owner}`);
  }
}

function ip(...args: string[]): void {
  run('ip', ...args);
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
