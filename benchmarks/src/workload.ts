import type { BenchRedis } from './bench-redis.js';
import type { FigureOf } from './pairs.js';

/** What one participant did in one round: jobs a second, microseconds of CPU a job, milliseconds. */
export type Figures = Readonly<Record<string, number>>;

export interface RoundResult {
  round: number;
  participant: string;
  figures: Figures;
}

export interface Run {
  /** Empty, its append-only file too. */
  redis: BenchRedis;
  /** Of this round and participant alone: logs, sockets, marks. */
  folder: string;
  /** How many of the jobs of a full run, at least a few. */
  jobs(full: number): number;
  /** So many seconds of a full run, at least a few. */
  seconds(full: number): number;
  /** How long a load that is made by the clock goes on. */
  minutes: number;
  note(text: string): void;
}

export interface Participant {
  id: string;
  title: string;
  /** What this machine lacks for it. */
  missing?(): string | undefined;
  /** Once, before the rounds: to find its best setting. */
  prepare?(run: Run): Promise<void>;
  /** @throws {Error} when a job was lost, ran twice or anything is left: that fails the whole bench. */
  run(run: Run): Promise<Figures>;
}

/** A goal of the project: a ratio of two figures of the same round, or a figure as it is. */
export interface Comparison {
  goal: string;
  title: string;
  of: FigureOf;
  to?: FigureOf;
  better: 'more' | 'less';
  /** What must hold. */
  must?: number;
  /** What we are after. */
  star?: number;
}

export interface Workload {
  id: string;
  title: string;
  /** Other names that `--only` takes for it. */
  aliases?: readonly string[];
  /** Part of `--quick`. */
  quick: boolean;
  /** No more rounds than this, however many are asked for: of what takes minutes. */
  maxRounds?: number;
  participants: readonly Participant[];
  comparisons: readonly Comparison[];
}
