import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { ROOT } from './harness/program.js';

const execute = promisify(execFile);

interface Results {
  machine: { commit: string; redis: string };
  workloads: {
    id: string;
    failed?: string;
    comparisons: { goal: string; median: number; verdict: string }[];
    rounds: { round: number; participant: string; figures: Record<string, number> }[];
  }[];
}

/** A run of it, and what it wrote into the folder. */
async function bench(flags: readonly string[], folder: string): Promise<Results & { stdout: string }> {
  const args = [join(ROOT, 'tools', 'bench.mjs'), ...flags, '--out', folder];
  const { stdout } = await execute(process.execPath, args).catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`the bench failed:\n${error.stdout}\n${error.stderr}`);
  });
  const file = readdirSync(folder).find((name) => name.endsWith('.json')) ?? '';
  return { stdout, ...(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Results) };
}

/** A few jobs of each kind: whether the bench works, on whatever is busy here. What it measures is not looked at. */
describe('npm run bench', () => {
  const folder = mkdtempSync(join(tmpdir(), 'orchestrator-bench-'));

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('measures the product beside its peers in alternating rounds, and writes down what and where', async () => {
    const flags = ['--quick', '--only', 'scheduler-cpu,true', '--rounds', '2', '--scale', '0.02'];
    const { stdout, machine, workloads } = await bench(flags, join(folder, 'peers'));

    expect(stdout).toContain('Quick run');
    expect(machine).toMatchObject({ redis: expect.stringMatching(/^\d+\./), commit: expect.any(String) });
    expect(workloads.map(({ id, failed }) => [id, failed])).toEqual([
      ['handlers', undefined],
      ['true', undefined],
    ]);
    const [handlers] = workloads;
    expect(handlers?.rounds.map(({ round, participant }) => `${round} ${participant}`)).toEqual([
      '1 ours',
      '1 bullmq',
      '1 bee-queue',
      '2 ours',
      '2 bullmq',
      '2 bee-queue',
    ]);
    const goals = workloads.flatMap(({ comparisons }) => comparisons).filter(({ goal }) => /^G1[125]$/.test(goal));
    expect(goals.length).toBeGreaterThan(3);
    expect(goals.every(({ median }) => median > 0)).toBe(true);
  });

  it('measures what the product does at scale, on less of it', async () => {
    const flags = ['--only', 'idle-workers,memory', '--rounds', '1', '--scale', '0.02', '--minutes', '0.05'];
    const { workloads } = await bench(flags, join(folder, 'scale'));

    expect(workloads.map(({ id, failed }) => [id, failed])).toEqual([
      ['idle-workers', undefined],
      ['memory', undefined],
    ]);
  });
});
