import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { JobView } from '../harness/api.js';
import { readCommandLines } from './command-lines.js';
import type { Fault, History, JobRecord, Submission } from './history.js';
import { uptimeMs } from './uptime.js';

type Note = Record<string, unknown> & { type: string };

/** Writes down what happens in one scenario as JSON lines, so that a failed run can be looked at afterwards. */
export class Recorder {
  readonly submissions: Submission[] = [];
  readonly faults: Fault[] = [];
  readonly bootWallMs = Date.now() - uptimeMs();
  #jobs: JobRecord[] = [];
  #left: string[] = [];

  constructor(readonly folder: string) {
    writeFileSync(this.commandFile, '');
  }

  /** Commands append to it. */
  get commandFile(): string {
    return join(this.folder, 'commands.log');
  }

  submitted(submission: Submission): void {
    this.submissions.push(submission);
    this.note({ type: 'submitted', ...submission });
  }

  fault(fault: Omit<Fault, 'atMs' | 'mayLose'> & { mayLose?: readonly string[] }): Fault {
    const complete = { atMs: uptimeMs(), mayLose: [], ...fault };
    this.faults.push(complete);
    this.note({ type: 'fault', ...complete });
    return complete;
  }

  ended(jobs: readonly JobView[], left: readonly string[]): void {
    this.#jobs = jobs.map(({ id, name, state, attempt, attempts, workerLosses, history }) => {
      return { id, name, state, attempt, attempts, workerLosses, history };
    });
    this.#left = [...left];
    this.#jobs.forEach((job) => this.note({ type: 'job', ...job }));
    left.forEach((what) => this.note({ type: 'left', what }));
  }

  note(note: Note): void {
    const { type, ...rest } = note;
    appendFileSync(join(this.folder, 'history.jsonl'), `${JSON.stringify({ type, atMs: uptimeMs(), ...rest })}\n`);
  }

  history(overlapMs: number): History {
    return {
      submissions: this.submissions,
      lines: readCommandLines(readFileSync(this.commandFile, 'utf8')),
      jobs: this.#jobs,
      faults: this.faults,
      left: this.#left,
      overlapMs,
      bootWallMs: this.bootWallMs,
    };
  }
}
