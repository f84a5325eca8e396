import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { processesWith, waitUntil } from '@orchestrator/e2e';

import type { BenchRedis } from './bench-redis.js';
import type { Participant, RoundResult, Run, Workload } from './workload.js';

const LEAST_JOBS = 20;
const LEAST_SECONDS = 3;
const GONE_WITHIN_MS = 5_000;

export interface WorkloadResult {
  workload: Workload;
  rounds: RoundResult[];
  /** Participants that this machine cannot run, and why. */
  missing: Readonly<Record<string, string>>;
  notes: string[];
  /** Why it was broken off: a job was lost or ran twice, something was left, a program failed. */
  failed?: string;
}

export interface RunParams {
  redis: BenchRedis;
  rounds: number;
  scale: number;
  minutes: number;
  say(text: string): void;
}

/** All participants in turn, round by round: A B C, A B C … Each run begins with an empty Redis and new processes. */
export async function runWorkload(workload: Workload, params: RunParams): Promise<WorkloadResult> {
  const lacks = workload.participants.map((each) => [each.id, each.missing?.()] as const);
  const missing = Object.fromEntries(lacks.flatMap(([id, why]) => (why === undefined ? [] : [[id, why]])));
  const result: WorkloadResult = { workload, rounds: [], missing, notes: [] };
  const present = workload.participants.filter(({ id }) => missing[id] === undefined);
  try {
    for (const participant of present) {
      if (participant.prepare !== undefined) {
        await inFolder(participant, result, params, async (run) => participant.prepare?.(run));
      }
    }
    for (let round = 1; round <= Math.min(params.rounds, workload.maxRounds ?? Infinity); round += 1) {
      for (const participant of present) {
        const figures = await inFolder(participant, result, params, (run) => participant.run(run));
        result.rounds.push({ round, participant: participant.id, figures });
        params.say(`   round ${round} ${participant.id}: ${JSON.stringify(rounded(figures))}`);
      }
    }
  } catch (error) {
    result.failed = error instanceof Error ? error.message : String(error);
  }
  return result;
}

/** With a folder and a Redis of its own; afterwards no process that it started is left. */
async function inFolder<T>(
  { id }: Participant,
  { notes }: WorkloadResult,
  params: RunParams,
  work: (run: Run) => Promise<T>,
): Promise<T> {
  const { redis, scale, minutes } = params;
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  process.env['BENCH_RUN'] = folder;
  await redis.empty();
  const note = (text: string): void => {
    notes.push(text);
    params.say(`   ${text}`);
  };
  try {
    const answer = await work({
      redis,
      folder,
      jobs: (full) => Math.max(LEAST_JOBS, Math.round(full * scale)),
      seconds: (full) => Math.max(LEAST_SECONDS, full * scale),
      minutes,
      note,
    });
    await nothingLeft(folder);
    rmSync(folder, { recursive: true, force: true });
    return answer;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${id}: ${message}\nits logs stay in ${folder}`, { cause: error });
  } finally {
    delete process.env['BENCH_RUN'];
  }
}

async function nothingLeft(folder: string): Promise<void> {
  const left = (): string[] => processesWith(`BENCH_RUN=${folder}`).map(({ pid, command }) => `${pid}: ${command}`);
  await waitUntil('no process is left', () => left().length === 0, { withinMs: GONE_WITHIN_MS }).catch(() => {
    throw new Error(`processes are left: ${left().join('; ')}`);
  });
}

function rounded(figures: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(figures).map(([name, value]) => [name, Number(value.toPrecision(value >= 100 ? 6 : 3))]),
  );
}
