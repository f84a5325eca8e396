import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { BenchRedis } from './bench-redis.js';
import { runWorkload, type WorkloadResult } from './run-workload.js';
import type { Participant, Run } from './workload.js';

let redis: BenchRedis;

beforeAll(async () => {
  redis = await BenchRedis.start();
});

afterAll(async () => {
  await redis.stop();
});

function runAll(participants: readonly Participant[], rounds = 2): Promise<WorkloadResult> {
  const workload = { id: 'w', title: 'w', quick: true, participants, comparisons: [] };
  return runWorkload(workload, { redis, rounds, scale: 0.5, minutes: 1, say: () => undefined });
}

const participant = (id: string, run: (run: Run) => Promise<void>): Participant => ({
  id,
  title: id,
  run: async (context) => {
    await run(context);
    return { jobs: context.jobs(1_000) };
  },
});

describe('runWorkload', () => {
  it('runs its participants in turn, round by round, each with an empty Redis and folder', async () => {
    const found: string[] = [];
    const folders: string[] = [];
    const note = (id: string): Participant =>
      participant(id, async (run) => {
        found.push(`${id} ${await run.redis.client.dbsize()}`);
        folders.push(run.folder);
        await run.redis.client.set('left', id);
        writeFileSync(join(run.folder, 'log'), id);
      });

    const { rounds, failed } = await runAll([note('ours'), note('peer')]);

    expect(failed).toBeUndefined();
    expect(found).toEqual(['ours 0', 'peer 0', 'ours 0', 'peer 0']);
    expect(rounds.map(({ round, participant: id }) => `${round} ${id}`)).toEqual([
      '1 ours',
      '1 peer',
      '2 ours',
      '2 peer',
    ]);
    expect(rounds[0]?.figures).toEqual({ jobs: 500 });
    expect(new Set(folders).size).toBe(4);
    expect(folders.some((folder) => existsSync(folder))).toBe(false);
  });

  it('is broken off by a round that fails, and says whose', async () => {
    const { failed, rounds } = await runAll([
      participant('ours', async () => undefined),
      participant('peer', async () => Promise.reject(new Error('job 7 twice'))),
    ]);

    expect(failed).toMatch(/^peer: job 7 twice\nits logs stay in /);
    expect(rounds).toHaveLength(1);
  });

  it('fails a round that leaves a process behind, after five seconds', async () => {
    const started: number[] = [];
    const { failed } = await runAll([
      participant('ours', async () => {
        // jest's own process.env is a copy that children do not inherit by themselves.
        started.push(spawn('sleep', ['60'], { stdio: 'ignore', env: { ...process.env } }).pid ?? 0);
      }),
    ]);
    started.forEach((pid) => process.kill(pid, 'SIGKILL'));

    expect(failed).toMatch(/ours: processes are left: \d+: sleep 60/);
  });

  it('leaves out who cannot run here, and says why', async () => {
    const { missing, rounds } = await runAll([
      { ...participant('peer', async () => Promise.reject(new Error('it ran'))), missing: () => 'not installed' },
    ]);

    expect(missing).toEqual({ peer: 'not installed' });
    expect(rounds).toEqual([]);
  });
});
