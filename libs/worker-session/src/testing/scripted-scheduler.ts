import {
  type GoneRequest,
  type OutputChunk,
  type OutputMark,
  type OutputMessage,
  type SchedulerMessage,
  type WorkerMessage,
  WorkerServiceDefinition,
} from '@orchestrator/proto-types';
import { createServer, type Server, ServerError, Status } from 'nice-grpc';

import { WakeUp } from '../wake-up.js';
import { acknowledge, type Case, type ValueOf, welcome } from './messages.js';

/** One stream of one worker, as a spec sees it. */
export class ScriptedStream {
  private readonly unread: WorkerMessage[] = [];
  private readonly toSend: SchedulerMessage[] = [];
  private readonly arrived = new WakeUp();
  private readonly toDo = new WakeUp();
  private readonly ending = new AbortController();
  /** The worker's side has ended. */
  closed = false;
  /** While true, heartbeats are acknowledged. */
  acknowledges = false;

  constructor(readonly authorization: string | undefined) {}

  send(message: SchedulerMessage): void {
    this.toSend.push(message);
    this.toDo.call();
  }

  /** The next message of this kind; others before it are passed over. */
  async next<C extends Case>(kind: C): Promise<ValueOf<C>> {
    for (;;) {
      const message = this.unread.shift()?.message;
      if (message?.$case === kind) {
        return message.value as ValueOf<C>;
      }
      if (message === undefined) {
        await this.arrived.wait(this.ending.signal);
        if ((this.closed || this.ending.signal.aborted) && this.unread.length === 0) {
          throw new Error(`the stream ended before a ${kind} came`);
        }
      }
    }
  }

  /** Breaks it, as a scheduler does that is killed. */
  break(): void {
    this.ending.abort();
  }

  async *serve(request: AsyncIterable<WorkerMessage>, signal: AbortSignal): AsyncGenerator<SchedulerMessage> {
    signal.addEventListener('abort', () => this.break(), { once: true });
    void this.read(request);
    while (!this.ending.signal.aborted) {
      const message = this.toSend.shift();
      if (message !== undefined) {
        yield message;
      } else if (this.closed) {
        return;
      } else {
        await this.toDo.wait(this.ending.signal);
      }
    }
    throw new ServerError(Status.UNAVAILABLE, 'broken by the spec');
  }

  private async read(request: AsyncIterable<WorkerMessage>): Promise<void> {
    try {
      for await (const message of request) {
        if (this.acknowledges && message.message?.$case === 'heartbeat') {
          this.send(acknowledge(message.message.value.sequence));
        }
        this.unread.push(message);
        this.arrived.call();
      }
    } catch {
      // It was broken.
    }
    this.closed = true;
    this.arrived.call();
    this.toDo.call();
  }
}

/** A scheduler on a real port that does what a spec says and nothing else. */
export class ScriptedScheduler {
  readonly streams: ScriptedStream[] = [];
  readonly gone: GoneRequest[] = [];
  readonly output: OutputChunk[] = [];
  /** While false, output is taken and neither stored nor acknowledged. */
  storesOutput = true;
  private readonly server: Server;
  private readonly opened = new WakeUp();
  private readonly outputStreams = new Set<AbortController>();
  private readonly outputArrived = new WakeUp();
  address = '';

  private constructor(private readonly token: string | undefined) {
    this.server = createServer();
  }

  static async start(options: { token?: string } = {}): Promise<ScriptedScheduler> {
    const scheduler = new ScriptedScheduler(options.token);
    scheduler.serve();
    const port = await scheduler.server.listen('127.0.0.1:0');
    scheduler.address = `127.0.0.1:${port}`;
    return scheduler;
  }

  /** The next stream that is opened. */
  async nextStream(): Promise<ScriptedStream> {
    while (this.streams.length === 0) {
      await this.opened.wait(new AbortController().signal);
    }
    return this.streams.shift() as ScriptedStream;
  }

  /** The next stream, with its Hello answered. */
  async nextWelcomed(over: Parameters<typeof welcome>[0] = {}): Promise<ScriptedStream> {
    const stream = await this.nextStream();
    const hello = await stream.next('hello');
    stream.send(welcome({ helloNumber: hello.number, ...over }));
    return stream;
  }

  /** Resolves when output has come since the last call. */
  outputSeen(): Promise<void> {
    return this.outputArrived.wait(new AbortController().signal);
  }

  breakOutputStreams(): void {
    this.outputStreams.forEach((stream) => stream.abort());
  }

  stop(): void {
    this.server.forceShutdown();
  }

  private serve(): void {
    this.server.add(WorkerServiceDefinition, {
      connect: (request, context) => {
        const authorization = context.metadata.get('authorization');
        if (this.token !== undefined && authorization !== `Bearer ${this.token}`) {
          throw new ServerError(Status.UNAUTHENTICATED, 'wrong join token');
        }
        const stream = new ScriptedStream(authorization);
        this.streams.push(stream);
        this.opened.call();
        return stream.serve(request, context.signal);
      },
      output: (request) => this.takeOutput(request),
      gone: (request) => {
        this.gone.push(request);
        return Promise.resolve({});
      },
    });
  }

  private async *takeOutput(request: AsyncIterable<OutputMessage>): AsyncGenerator<{ marks: OutputMark[] }> {
    const ending = new AbortController();
    this.outputStreams.add(ending);
    const acks: { marks: OutputMark[] }[] = [];
    const toDo = new WakeUp();
    void (async () => {
      try {
        for await (const { chunks } of request) {
          if (this.storesOutput) {
            this.output.push(...chunks);
            acks.push({ marks: chunks.map(toMark) });
          }
          this.outputArrived.call();
          toDo.call();
        }
      } catch {
        // It was broken.
      }
      ending.abort();
    })();
    while (!ending.signal.aborted) {
      yield* acks.splice(0);
      await toDo.wait(ending.signal);
    }
    this.outputStreams.delete(ending);
    throw new ServerError(Status.UNAVAILABLE, 'broken by the spec');
  }
}

function toMark({ attempt, stream, offset, data }: OutputChunk): OutputMark {
  return { attempt, stream, endOffset: offset + data.length };
}
