import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { MARK, TRUE, versionOf } from '../commands.js';
import { requireMarks } from '../product/drain-commands.js';
import type { Figures, Participant, Run } from '../workload.js';

export interface LineRunner {
  id: string;
  title: string;
  program: string;
  /** Before the command; one line of input is one more argument of it. */
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  count: number;
  marked: number;
}

/** A program that runs a command for each line of its input. */
export function lineRunner(runner: LineRunner): Participant {
  const { id, program, title } = runner;
  return {
    id,
    title,
    missing: () => (versionOf(program) === undefined ? `${program} is not installed` : undefined),
    run: (run) => runLines(runner, run),
  };
}

async function runLines(runner: LineRunner, run: Run): Promise<Figures> {
  const marks = join(run.folder, 'marks');
  mkdirSync(marks);
  const [count, marked] = [run.jobs(runner.count), run.jobs(runner.marked)];
  await feed(runner, run, MARK, lines(marked, `${marks}/`));
  requireMarks(marks, marked);
  const since = performance.now();
  await feed(runner, run, TRUE, lines(count, ''));
  return { perSecond: (count / (performance.now() - since)) * 1_000 };
}

/** @throws {Error} when any of the commands failed: both programs say so by their own exit code. */
async function feed(
  { program, args, env }: LineRunner,
  { folder }: Run,
  command: readonly string[],
  input: string,
): Promise<void> {
  const child = spawn(program, [...args, ...command], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.stdin.end(input);
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  if (code !== 0) {
    throw new Error(`${program} ended with ${code ?? signal}`);
  }
}

function lines(count: number, prefix: string): string {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}\n`).join('');
}
