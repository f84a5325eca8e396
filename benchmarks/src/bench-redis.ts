import { startRedis, type TestRedis } from '@orchestrator/testing';
import { waitUntil } from '@orchestrator/e2e';
import type { Redis } from 'ioredis';

const REWRITTEN_WITHIN_MS = 60_000;

/** The one private Redis of a run, set up as `npm start` does it: append-only file with everysec, no snapshots. */
export class BenchRedis {
  private constructor(
    readonly server: TestRedis,
    readonly client: Redis,
  ) {}

  static async start(): Promise<BenchRedis> {
    const args = ['--maxmemory-policy', 'noeviction', '--auto-aof-rewrite-min-size', '256mb'];
    const server = await startRedis({ persistent: true, args });
    return new BenchRedis(server, server.client());
  }

  get url(): string {
    return this.server.url;
  }

  get port(): number {
    return this.server.port;
  }

  /** Empty, and with an append-only file that no round before has filled: a rewrite must not fall into a measurement. */
  async empty(): Promise<void> {
    await this.client.flushall();
    await this.rewrite();
  }

  /** Its append-only file is as short as what it holds: no rewrite is due for a while. */
  async rewrite(): Promise<void> {
    const options = { withinMs: REWRITTEN_WITHIN_MS };
    // Redis begins one by itself, too: then it refuses to begin another.
    await waitUntil(
      'the append-only file can be rewritten',
      async () => (await this.client.bgrewriteaof()) !== '',
      options,
    );
    await waitUntil('the append-only file is rewritten', () => this.#isQuiet(), options);
  }

  async version(): Promise<string> {
    return this.#info('server', 'redis_version');
  }

  /** Of all its threads since its start. */
  async cpuUs(): Promise<number> {
    const text = await this.client.info('cpu');
    return (Number(field(text, 'used_cpu_user')) + Number(field(text, 'used_cpu_sys'))) * 1_000_000;
  }

  async usedBytes(): Promise<number> {
    return Number(await this.#info('memory', 'used_memory'));
  }

  async stop(): Promise<void> {
    await this.server.stop();
  }

  async #isQuiet(): Promise<boolean> {
    const text = await this.client.info('persistence');
    return ['aof_rewrite_in_progress', 'aof_rewrite_scheduled'].every((name) => field(text, name) === '0');
  }

  async #info(section: string, name: string): Promise<string> {
    return field(await this.client.info(section), name);
  }
}

function field(text: string, name: string): string {
  const value = new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1];
  if (value === undefined) {
    throw new Error(`INFO of Redis has no field ${name}`);
  }
  return value;
}
