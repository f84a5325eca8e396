import type { CommandLine } from './history.js';

const TICK_MS = 100;

export interface CommandOptions {
  /** How long it runs. */
  ms: number;
  /** Appended to by every command of a run. */
  file: string;
  /** Starts that end with exit code 7, beginning with the first. */
  failures?: number;
  /** Bytes that it writes to stdout before it ends. */
  prints?: number;
}

/** `note start`, `note tick` and `note end CODE` each write a line. */
const NOTE = [
  'note() {',
  '  read up idle < /proc/uptime',
  '  printf "%s\\n" "$1 $ORCHESTRATOR_JOB_ID $ORCHESTRATOR_ATTEMPT $ORCHESTRATOR_FENCE $$ $ORCHESTRATOR_WORKER_ID $up $2" >> "$FAULTS_FILE"',
  '}',
];

/** As a recorded command, with a body of its own, which may `note tick` and, before it ends otherwise, `note end CODE`. */
export function recordedBody(body: string): string {
  return [...NOTE, 'note start', body, 'note end 0', 'exit 0'].join('\n');
}

/**
 * A command that writes when it starts, ten times a second while it runs, and before it ends. Each line is one write(2)
 * to a file opened with O_APPEND: it survives any kill, and the order of the lines is the order in which things happened,
 * whatever clocks say. `read` and `printf` are built in: a short job costs no more processes than its `sleep`.
 */
export function recordedCommand({ ms, file, failures = 0, prints = 0 }: CommandOptions): Record<string, unknown> {
  const ticks = Math.floor(ms / TICK_MS);
  const rest = (ms % TICK_MS) / 1_000;
  return {
    command: [
      ...NOTE,
      'note start',
      ...(ticks === 0
        ? []
        : ['i=0', `while [ $i -lt ${ticks} ]; do sleep ${TICK_MS / 1_000}; note tick; i=$((i + 1)); done`]),
      ...(rest === 0 ? [] : [`sleep ${rest}`]),
      ...(failures === 0 ? [] : [`[ "$ORCHESTRATOR_ATTEMPT" -le ${failures} ] && { note end 7; exit 7; }`]),
      'echo "$ORCHESTRATOR_JOB_ID"',
      ...(prints === 0 ? [] : [`head -c ${prints} /dev/zero`]),
      'note end 0',
      'exit 0',
    ].join('\n'),
    env: { FAULTS_FILE: file },
  };
}

const LINE = /^(start|tick|end) (\S+) (\d+) (\d+) (\d+) (\S+) (\d+\.\d+) (\d*)$/;

/** A line that nobody understands is a fault of the test itself: it must not pass unseen. */
export function readCommandLines(text: string): CommandLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, kind, job = '', attempt, fence, pid, worker = '', up, code] = LINE.exec(line) ?? [];
      if (kind !== 'start' && kind !== 'tick' && kind !== 'end') {
        throw new Error(`not a line of a recorded command: ${JSON.stringify(line)}`);
      }
      return {
        kind,
        job,
        attempt: Number(attempt),
        fence: Number(fence),
        pid: Number(pid),
        worker,
        atMs: Math.round(Number(up) * 1_000),
        ...(code === '' || code === undefined ? {} : { code: Number(code) }),
      };
    });
}
