import { startChild } from './child.mjs';
import { waitFor } from './wait.mjs';

const READY_WITHIN_MS = 60_000;
const WORKERS_MAY_DRAIN_MS = 40_000;
const SCHEDULER_MAY_NEED_MS = 20_000;
const KILLED_WITHIN_MS = 3_000;

/** One scheduler and its workers, as `npm start` and `npm run demo` run them. */
export class System {
  #redisUrl;
  #httpPort;
  #grpcPort;
  #environment;
  #show;
  #onDeath;
  #children = [];
  #stopping;

  /** @param {{redisUrl: string, httpPort: number, grpcPort: number, environment?: object, show?: Function, onDeath: Function}} params */
  constructor({ redisUrl, httpPort, grpcPort, environment = {}, show, onDeath }) {
    this.#redisUrl = redisUrl;
    this.#httpPort = httpPort;
    this.#grpcPort = grpcPort;
    this.#environment = environment;
    this.#show = show;
    this.#onDeath = onDeath;
  }

  get address() {
    return `http://localhost:${this.#httpPort}`;
  }

  /**
   * The scheduler, and once it answers the workers: they would dial, and say so, until it does. Resolves with true when
   * all of them are alive, with false when one ended before.
   */
  async start(workers, workerFlags = []) {
    this.#start('scheduler', 'scheduler', ['--http-port', this.#httpPort, '--grpc-port', this.#grpcPort], {
      ORCHESTRATOR_REDIS_URL: this.#redisUrl,
    });
    if (!(await this.#becomesReady([]))) {
      return false;
    }
    for (const id of workers) {
      this.#start(id, 'worker', ['--id', id, '--schedulers', `127.0.0.1:${this.#grpcPort}`, ...workerFlags]);
    }
    return this.#becomesReady(workers);
  }

  pidOf(name) {
    return this.#children.find((child) => child.name === name)?.pid;
  }

  get allEnded() {
    return this.#children.every((child) => child.end !== undefined);
  }

  /** GET, parsed; `undefined` when it cannot be had now. */
  async get(path) {
    try {
      const response = await fetch(`http://127.0.0.1:${this.#httpPort}${path}`, { signal: AbortSignal.timeout(5_000) });
      return response.ok ? await response.json() : undefined;
    } catch {
      return undefined;
    }
  }

  /** Workers drain while their scheduler still listens, then it ends. The same promise however often it is asked. */
  stop() {
    this.#stopping ??= this.#stopInOrder();
    return this.#stopping;
  }

  /** A second signal ends a worker's drain at once; what does not go then is killed. */
  async force() {
    await endAll(this.#children, 'SIGTERM', KILLED_WITHIN_MS);
  }

  async #stopInOrder() {
    const isScheduler = (child) => child.name === 'scheduler';
    await endAll(
      this.#children.filter((child) => !isScheduler(child)),
      'SIGTERM',
      WORKERS_MAY_DRAIN_MS,
    );
    await endAll(this.#children.filter(isScheduler), 'SIGTERM', SCHEDULER_MAY_NEED_MS);
  }

  #start(name, app, flags, environment = {}) {
    const file = `apps/${app}/dist/main.js`;
    const args = ['--enable-source-maps', file, '--config', `config/${app}.yaml`, ...flags.map(String)];
    const env = { ...this.#environment, ...environment };
    const show = this.#show === undefined ? undefined : (line) => this.#show(name, line);
    const child = startChild(name, process.execPath, args, { env, show });
    this.#children.push(child);
    void child.ended.then(() => {
      if (!child.asked) {
        this.#onDeath(child);
      }
    });
  }

  async #becomesReady(workers) {
    const someEnded = () => this.#stopping !== undefined || this.#children.some((child) => child.end !== undefined);
    const ask = async () => someEnded() || (await this.#isReady(workers));
    return (await waitFor(ask, { withinMs: READY_WITHIN_MS })) === true && !someEnded();
  }

  /** Connected to this very scheduler: sessions of an earlier run may seem alive for some seconds more. */
  async #isReady(workers) {
    const scheduler = await this.get('/readyz');
    const list = scheduler && (await this.get('/api/v1/workers?limit=1000'));
    const isHere = (worker) => worker.state === 'alive' && worker.connectedTo === scheduler.id;
    const here = new Set(list?.items.filter(isHere).map((worker) => worker.id));
    return list !== undefined && workers.every((id) => here.has(id));
  }
}

async function endAll(children, signal, withinMs) {
  const all = Promise.all(children.map((child) => child.ended));
  for (const child of children) {
    child.signal(signal);
  }
  const late = Symbol('late');
  const timer = new Promise((resolve) => setTimeout(resolve, withinMs, late).unref());
  if ((await Promise.race([all, timer])) === late) {
    for (const child of children) {
      child.signal('SIGKILL');
    }
    await all;
  }
}
