import { executorOf, processesOfWorker } from '../../harness/processes.js';
import type { Program } from '../../harness/program.js';
import { clockEnvironment } from './clock.js';
import type { FaultCluster } from './fault-cluster.js';
import { Link } from './link.js';
import { Seat } from './seat.js';

/** A worker with the id that it keeps, and a hop of its own to each scheduler. */
export class WorkerSeat extends Seat {
  readonly #cluster: FaultCluster;
  readonly #links: readonly Link[];

  private constructor(name: string, cluster: FaultCluster, links: readonly Link[]) {
    super(name, cluster.logFile(name));
    this.#cluster = cluster;
    this.#links = links;
  }

  static async create(id: string, cluster: FaultCluster): Promise<WorkerSeat> {
    if (cluster.options.network === true) {
      cluster.network.addHost(id);
    }
    const open = cluster.schedulers.map(({ name, grpcPort }) => Link.open(`${id}->${name}`, grpcPort));
    return new WorkerSeat(id, cluster, cluster.options.links === true ? await Promise.all(open) : []);
  }

  /** Its ways to the schedulers, in their order. */
  get links(): readonly Link[] {
    if (this.#links.length === 0) {
      throw new Error('this cluster was started without `links: true`');
    }
    return this.#links;
  }

  launch(): Program {
    const { folder, options, schedulers } = this.#cluster;
    const host = options.network === true ? this.#cluster.network.address : '127.0.0.1';
    const ports = schedulers.map(({ grpcPort }, index) => this.#links[index]?.port ?? grpcPort);
    return this.start({
      file: 'apps/worker/dist/main.js',
      args: [
        `--id=${this.name}`,
        `--schedulers=${ports.map((port) => `${host}:${port}`).join(',')}`,
        `--slots=${options.slots ?? 4}`,
        ...(options.workerArgs ?? []),
      ],
      env: { ...(options.clocks === true ? clockEnvironment(folder, this.name) : {}), ...options.env },
      cwd: folder,
      launcher: options.network === true ? this.#cluster.network.launcher(this.name) : (options.workerLauncher ?? []),
    });
  }

  /** Of the executor that works for the present process. */
  get executorPid(): number {
    const executor = executorOf(this.program.pid);
    if (executor === undefined) {
      throw new Error(`${this.name} has no executor`);
    }
    return executor.pid;
  }

  /** Worker, executor, guard, commands: everything of it on its host. */
  get hostPids(): number[] {
    return [this.program.pid, ...processesOfWorker(this.program.pid).map(({ pid }) => pid)];
  }

  /** Stops everything of it, again until nothing new has appeared meanwhile: as a host that is suspended. */
  freezeHost(): void {
    const stopped = new Set<number>();
    for (let before = -1; before !== stopped.size;) {
      before = stopped.size;
      this.hostPids
        .filter((pid) => !stopped.has(pid))
        .forEach((pid) => {
          send(pid, 'SIGSTOP');
          stopped.add(pid);
        });
    }
  }

  /** All of it at once: nothing is left that could say anything. */
  killHost(): void {
    this.expectEnd();
    this.freezeHost();
    this.hostPids.forEach((pid) => send(pid, 'SIGKILL'));
  }

  /** Commands first: the worst order for whoever must kill them before they do anything. */
  thawHost(): void {
    this.hostPids.reverse().forEach((pid) => send(pid, 'SIGCONT'));
  }

  override async close(): Promise<void> {
    await super.close();
    await Promise.all(this.#links.map((link) => link.close()));
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended since it was found.
  }
}
