import { waitFor } from '../../tools/lib/wait.mjs';
import { freePort } from '../../tools/lib/ports.mjs';
import { run } from '../../tools/lib/run.mjs';
import { docker, findCompose } from './engine.mjs';

const LABEL = 'com.docker.compose.project';
export const IMAGES = ['orchestrator-scheduler', 'orchestrator-worker'];

/** The compose file under a name, a port and image tags of its own, so that it disturbs no other. */
export class Project {
  static async create() {
    const name = `orchestrator-check-${process.pid}`;
    return new Project(name, await findCompose(), await freePort());
  }

  constructor(name, command, port) {
    this.name = name;
    this.command = command;
    this.url = `http://127.0.0.1:${port}`;
    this.port = port;
    this.environment = { IMAGE_TAG: name, HTTP_PORT: String(port) };
    this.files = ['docker-compose.yml'];
  }

  get images() {
    return IMAGES.map((image) => `${image}:${this.name}`);
  }

  /** Rejects when it fails, with all that it said; else resolves with that and the seconds that it took. */
  async compose(...args) {
    const [program, ...first] = this.command;
    const all = [...first, '-p', this.name, ...this.files.flatMap((file) => ['-f', file]), ...args];
    const since = performance.now();
    const done = await run(program, all, { capture: true, env: this.environment });
    if (!done.ok) {
      throw new Error(`${program} ${all.join(' ')} failed with exit code ${done.code}:\n${done.output}`);
    }
    return { output: done.output, seconds: secondsSince(since) };
  }

  /** Containers that run now. */
  async containers(service) {
    const filters = [`label=${LABEL}=${this.name}`, `label=com.docker.compose.service=${service}`];
    const output = await docker('ps', '--quiet', '--no-trunc', ...filters.flatMap((filter) => ['--filter', filter]));
    return output.split('\n').filter(Boolean);
  }

  /** Exit codes of what has ended since: [{service, code}]. */
  async exitsSince(time) {
    const seconds = (ms) => (ms / 1_000).toFixed(3);
    const window = ['--since', seconds(time), '--until', seconds(Date.now())];
    const filters = ['type=container', 'event=die', `label=${LABEL}=${this.name}`].flatMap((it) => ['--filter', it]);
    const output = await docker('events', ...window, ...filters, '--format', '{{json .Actor.Attributes}}');
    return output
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
      .map((it) => ({ service: it['com.docker.compose.service'], code: Number(it.exitCode) }));
  }

  /** What is left of it: containers, networks and volumes. */
  async remains() {
    const filter = ['--quiet', '--filter', `label=${LABEL}=${this.name}`];
    const lists = await Promise.all([
      docker('ps', '--all', ...filter),
      docker('network', 'ls', ...filter),
      docker('volume', 'ls', ...filter),
    ]);
    return lists.flatMap((list) => list.split('\n').filter(Boolean));
  }

  /** Whatever the state that a failure left it in. */
  async remove() {
    await this.compose('down', '--volumes', '--remove-orphans', '--timeout', '2');
    const [program, ...args] = ['docker', 'image', 'rm', '--force', ...this.images];
    await run(program, args, { capture: true });
  }

  request(path, { method = 'GET', body } = {}) {
    const headers = body && { 'content-type': 'application/json' };
    return fetch(`${this.url}${path}`, { method, headers, body: body && JSON.stringify(body) });
  }

  async json(path, options) {
    const response = await this.request(path, options);
    const text = await response.text();
    if (!response.ok) {
      throw new Error(`${options?.method ?? 'GET'} ${path} was answered ${response.status}: ${text}`);
    }
    return JSON.parse(text);
  }

  submit(name, command, more = {}) {
    return this.json('/api/v1/jobs', { method: 'POST', body: { name, command, ...more } });
  }

  job(id) {
    return this.json(`/api/v1/jobs/${id}`);
  }

  /** Asks until `isIt` likes the job, and answers it. */
  async jobThat(id, isIt, withinMs) {
    let job;
    const ask = async () => {
      job = await this.job(id).catch(() => job);
      return job !== undefined && isIt(job);
    };
    if (!(await waitFor(ask, { withinMs, everyMs: 50 }))) {
      throw new Error(`after ${withinMs} ms the job is ${JSON.stringify(job)}`);
    }
    return job;
  }

  succeeded(id, withinMs = 30_000) {
    return this.jobThat(id, (job) => job.state === 'succeeded', withinMs);
  }

  async logs(id) {
    return (await this.request(`/api/v1/jobs/${id}/logs`)).text();
  }

  /** Resolves with the ids of the workers alive once there are so many. */
  async workers(count, withinMs = 30_000) {
    let alive = [];
    const ask = async () => {
      const { items } = await this.json('/api/v1/workers').catch(() => ({ items: [] }));
      alive = items.filter((worker) => worker.state === 'alive').map((worker) => worker.id);
      return alive.length === count;
    };
    if (!(await waitFor(ask, { withinMs }))) {
      throw new Error(`after ${withinMs} ms there are ${alive.length} workers alive, not ${count}: ${alive.join(' ')}`);
    }
    return alive;
  }

  /** A worker is named after its container's host name, which is how its id begins. */
  async containerOf(workerId) {
    const containers = await this.containers('worker');
    const found = containers.find((id) => workerId.startsWith(id.slice(0, 12)));
    if (found === undefined) {
      throw new Error(`no container of ${workerId} among ${containers.join(' ')}`);
    }
    return found;
  }
}

export const secondsSince = (since) => (performance.now() - since) / 1_000;
