import { existsSync, readFileSync } from 'node:fs';

export interface Tick {
  atMs: number;
  attempt: number;
  pid: number;
}

const TICK_MS = 100;

/**
 * A command that appends "<seconds> <attempt> <pid>" to a file ten times a second, `count` times, and then says "done".
 * The file shows when each attempt really ran, whatever anybody believes of it.
 */
export function tickJob(file: string, seconds: number): Record<string, unknown> {
  const count = Math.round((seconds * 1_000) / TICK_MS);
  return {
    command: [
      'i=0',
      `while [ $i -lt ${count} ]; do`,
      '  echo "$(date +%s.%N) $ORCHESTRATOR_ATTEMPT $$" >> "$TICKS"',
      `  sleep ${TICK_MS / 1_000}`,
      '  i=$((i + 1))',
      'done',
      'echo done',
    ].join('\n'),
    env: { TICKS: file },
    timeout: 120,
  };
}

export function readTicks(file: string): Tick[] {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return text
    .split('\n')
    .filter((line) => line.split(' ').length === 3)
    .map((line) => {
      const [seconds, attempt, pid] = line.split(' ').map(Number);
      return { atMs: (seconds ?? 0) * 1_000, attempt: attempt ?? 0, pid: pid ?? 0 };
    });
}

/** Pairs of attempts of which the later one began before the earlier one had made its last tick. */
export function overlaps(ticks: readonly Tick[]): string[] {
  const attempts = [...new Set(ticks.map((tick) => tick.attempt))].sort((a, b) => a - b);
  const times = (attempt: number): number[] => ticks.filter((tick) => tick.attempt === attempt).map((t) => t.atMs);
  return attempts.slice(1).flatMap((attempt, index) => {
    const before = attempts[index] ?? 0;
    const over = Math.max(...times(before)) - Math.min(...times(attempt));
    return over > 0 ? [`attempts ${before} and ${attempt} ran together for ${over.toFixed(0)} ms`] : [];
  });
}

/** Between the last tick of one attempt and the first of the next. */
export function gapMs(ticks: readonly Tick[], from: number, to: number): number {
  const last = Math.max(...ticks.filter((tick) => tick.attempt === from).map((tick) => tick.atMs));
  const first = Math.min(...ticks.filter((tick) => tick.attempt === to).map((tick) => tick.atMs));
  return first - last;
}
