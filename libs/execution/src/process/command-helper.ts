import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

import { DEFAULT_PATH } from '../environment.js';
import type { OutputStreamName } from '../executor.js';
import { MARK_VARIABLE } from '../mark.js';
import { isRunning, sendSignal } from '../proc.js';
import { HIGHEST_PIPE } from './file-limit.js';
import type { HelperProgram } from './helper-programs.js';
import {
  CLOSE_REQUEST,
  decodeReplies,
  encodeRequest,
  encodeSetup,
  type HelperExit,
  type HelperOutput,
  type HelperReply,
  type HelperRequest,
  type HelperSetup,
} from './helper-wire.js';
import { readPipe } from './pipe-reader.js';
import type { CommandEvents, RunningCommand } from './running-command.js';
import { toSignalName } from './signal-name.js';
import { toErrnoError } from './errno-error.js';

/** A command that lives this long has its pipes read by the executor: until then they hold what it writes. */
const HAND_OVER_AFTER_MS = 5;
/** So many looks without an answer that is due: it is stopped or stuck. Looks, so that a stop of this process is one. */
const UNANSWERED_LOOKS = 6;

export interface CommandHelperParams {
  program: HelperProgram;
  setup: HelperSetup;
  /** Of the helper and, until their exec, of the commands it starts. */
  mark: string;
  /** Kills all that has the mark; resolves when nothing has. */
  kill: (mark: string) => Promise<void>;
  /** It waits for a command. */
  onIdle: () => void;
  /** Its process is gone; what it ran was told so. */
  onGone: (wasReady: boolean, detail: string) => void;
}

const NOTHING = Buffer.alloc(0);

interface Job {
  events: CommandEvents;
  outputs: Readable[];
  sentAtMs: number;
  pid: number;
  /** What is to be opened: the helper's descriptors; 0 when it was, or need not be. */
  pipes: Record<OutputStreamName, number>;
  /** Whether the executor reads its pipes. */
  handOver: 'not asked' | 'asked' | 'granted' | 'done';
  /** It has ended, and its pipes are still to be opened. */
  exit: HelperExit | undefined;
  /** File for its stdin, to be closed. */
  stdin: number | undefined;
}

/** One helper process, which starts one command at a time and waits for its end. */
export class CommandHelper {
  private readonly child: ChildProcess;
  private job: Job | undefined;
  private received = NOTHING;
  private ready = false;
  private gone = false;
  private dismissed = false;
  private unanswered = 0;

  constructor(private readonly params: CommandHelperParams) {
    const [file, ...args] = params.program;
    this.child = spawn(file, args, {
      cwd: '/',
      detached: true,
      env: { PATH: DEFAULT_PATH, [MARK_VARIABLE]: params.mark },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.child.once('error', (error) => this.end(error.message));
    // What it had said before is still read: sockets are, before an immediate runs.
    this.child.once('exit', (code, signal) => {
      setImmediate(() => setImmediate(() => this.end(`ended with ${signal ?? `code ${code}`}`)));
    });
    const { stdin, stdout } = this.child as { stdin?: Writable; stdout?: Readable };
    stdin?.on('error', () => undefined);
    stdout?.on('error', () => undefined).on('data', (chunk: Buffer) => this.accept(chunk));
    stdin?.write(encodeSetup(params.setup));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get isStarting(): boolean {
    return !this.ready && !this.gone;
  }

  /** There is something for `handOver` to do, or soon will be. */
  get isToBeHandedOver(): boolean {
    return this.job !== undefined && !this.gone && this.job.handOver !== 'done';
  }

  /** Only while it is idle. `stdin`: a file of ours, which it opens by name; closed here. */
  start(
    request: Omit<HelperRequest, 'stdin'>,
    stdin: number | undefined,
    nowMs: number,
    events: CommandEvents,
  ): RunningCommand {
    const job: Job = {
      events,
      outputs: [],
      sentAtMs: nowMs,
      pid: 0,
      pipes: { stdout: 0, stderr: 0 },
      handOver: 'not asked',
      exit: undefined,
      stdin,
    };
    this.job = job;
    this.unanswered = 0;
    const file = stdin === undefined ? '/dev/null' : `/proc/${process.pid}/fd/${stdin}`;
    this.write(encodeRequest({ ...request, stdin: file }));
    return {
      outputs: job.outputs,
      destroy: () => job.outputs.forEach((stream) => stream.destroy()),
      abort: () => (this.job === job ? this.params.kill(this.params.mark) : Promise.resolve()),
    };
  }

  /** The pipes of a command that has lived long enough are asked for, and taken over as soon as that is possible. */
  handOver(nowMs: number): void {
    const { job } = this;
    if (job === undefined || job.pid === 0 || nowMs - job.sentAtMs < HAND_OVER_AFTER_MS) {
      return;
    }
    if (job.handOver === 'not asked') {
      job.handOver = 'asked';
      sendSignal(this.pid, 'SIGUSR1');
    } else if (job.exit !== undefined) {
      this.exited(job, job.exit);
    } else if (job.handOver === 'granted' && this.openBoth(job)) {
      job.handOver = 'done';
    }
  }

  /** Called every now and then. Answers false when it has owed an answer for too long. */
  watch(): boolean {
    this.unanswered = this.owes ? this.unanswered + 1 : 0;
    return this.unanswered < UNANSWERED_LOOKS;
  }

  /** Its command, if it has one, is lost. */
  kill(): void {
    this.child.kill('SIGKILL');
  }

  /** It ends by itself. */
  dismiss(): void {
    this.dismissed = true;
    this.child.stdin?.end();
  }

  private get owes(): boolean {
    const { job } = this;
    if (job === undefined || job.exit !== undefined) {
      return !this.ready || this.dismissed;
    }
    return job.pid === 0 || job.handOver === 'asked' || !isRunning(job.pid, this.pid);
  }

  private accept(chunk: Buffer): void {
    const { replies, rest } = decodeReplies(this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]));
    this.received = rest.length === 0 ? NOTHING : Buffer.from(rest);
    replies.forEach((reply) => this.take(reply));
  }

  private take(reply: HelperReply): void {
    const { job } = this;
    if (reply.kind === 'ready') {
      this.ready = true;
      this.params.onIdle();
    } else if (job === undefined) {
      return;
    } else if (reply.kind === 'failed') {
      this.release(job);
      job.events.onFailed(toErrnoError(reply.errno));
    } else if (reply.kind === 'started') {
      const { pid, stdout, stderr } = reply;
      job.pid = pid;
      job.pipes = { stdout, stderr };
      closeInput(job);
      job.events.onStarted(pid, this.pid);
    } else if (reply.kind === 'handed') {
      job.handOver = 'granted';
      this.handOver(Infinity);
    } else {
      this.exited(job, reply.exit);
    }
  }

  private exited(job: Job, exit: HelperExit): void {
    const isHanded = job.handOver === 'granted' || job.handOver === 'done';
    if (job.exit === undefined) {
      this.takeOutput(job, 'stdout', exit.stdout, isHanded);
      this.takeOutput(job, 'stderr', exit.stderr, isHanded);
    }
    job.exit = exit;
    if (!this.openBoth(job)) {
      // As soon as there is a file handle again.
      return;
    }
    if (job.outputs.length > 0) {
      this.write(CLOSE_REQUEST);
    }
    this.release(job);
    const { code, groupLives, signal } = exit;
    job.events.onExit({ code, signal: signal === null ? null : toSignalName(signal) }, groupLives);
  }

  private takeOutput(job: Job, stream: OutputStreamName, { data, open }: HelperOutput, isHanded: boolean): void {
    if (data.length > 0) {
      job.events.onData(stream, data);
    }
    if (!open && !isHanded) {
      job.pipes[stream] = 0;
    }
  }

  private openBoth(job: Job): boolean {
    const stdout = this.open(job, 'stdout');
    return this.open(job, 'stderr') && stdout;
  }

  /** Answers false when it could not be opened: no file handle is left. */
  private open(job: Job, stream: OutputStreamName): boolean {
    const pipe = job.pipes[stream];
    if (pipe === 0) {
      return true;
    }
    try {
      const own = openSync(`/proc/${this.pid}/fd/${pipe}`, constants.O_RDONLY | constants.O_NONBLOCK);
      if (own > HIGHEST_PIPE) {
        closeSync(own);
        return false;
      }
      job.outputs.push(readPipe(own, (chunk) => job.events.onData(stream, chunk)));
      job.pipes[stream] = 0;
      return true;
    } catch {
      return false;
    }
  }

  private release(job: Job): void {
    closeInput(job);
    this.job = undefined;
    if (!this.gone) {
      this.params.onIdle();
    }
  }

  private end(detail: string): void {
    if (!this.gone) {
      this.gone = true;
      const { job } = this;
      if (job !== undefined) {
        closeInput(job);
        job.events.onLost(`the helper that had started it ${detail}`);
      }
      this.params.onGone(this.ready, detail);
    }
  }

  private write(record: Buffer): void {
    this.child.stdin?.write(record);
  }
}

function closeInput(job: Job): void {
  if (job.stdin !== undefined) {
    closeSync(job.stdin);
    job.stdin = undefined;
  }
}
