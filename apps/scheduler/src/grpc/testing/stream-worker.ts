import { systemClock, systemRandom } from '@orchestrator/core';
import { createDeferred, withTimeout } from '@orchestrator/lifecycle';
import {
  Hello,
  type SchedulerMessage,
  type WorkerMessage,
  type WorkerServiceClient,
  WorkerServiceDefinition,
} from '@orchestrator/proto-types';
import { type ChannelCredentials, createChannel, createClient, Metadata } from 'nice-grpc';

type Message = NonNullable<SchedulerMessage['message']>;
type ValueOf<C extends Message['$case']> = Extract<Message, { $case: C }>['value'];

const LIMIT_MS = 10_000;

export interface StreamWorkerParams {
  address: string;
  token?: string;
  id?: string;
  session?: string;
  /** Default: plain text. */
  credentials?: ChannelCredentials;
}

/** A worker on a real stream that does what a test says. */
export class StreamWorker {
  readonly id: string;
  readonly session: string;
  readonly client: WorkerServiceClient;
  readonly metadata: Metadata;
  /** Rejects with the status of the stream, resolves when it ended as OK. */
  readonly ended: Promise<void>;
  epoch = 0;
  private readonly channel;
  private readonly hangingUp = new AbortController();
  private readonly outgoing: WorkerMessage[] = [];
  private readonly incoming: Message[] = [];
  private reading = true;
  private wakeWriter: () => void = () => undefined;
  private wakeReader: () => void = () => undefined;

  constructor(params: StreamWorkerParams) {
    this.id = params.id ?? `worker-${systemRandom.hex(3)}`;
    this.session = params.session ?? systemRandom.hex(8);
    this.channel = createChannel(params.address, params.credentials, { 'grpc.use_local_subchannel_pool': 1 });
    this.client = createClient(WorkerServiceDefinition, this.channel);
    this.metadata = new Metadata(params.token === undefined ? {} : { authorization: `Bearer ${params.token}` });
    this.ended = this.read();
    this.ended.catch(() => undefined);
  }

  /** Reads nothing more, like a program that hangs; its connection answers pings all the same. */
  stopReading(): void {
    this.reading = false;
  }

  say(message: NonNullable<WorkerMessage['message']>): void {
    this.outgoing.push({ message });
    this.wakeWriter();
  }

  async greet(over: Partial<Hello> = {}): Promise<void> {
    const hello = { workerId: this.id, session: this.session, number: 1, pools: ['default'], slots: 1, ...over };
    this.say({ $case: 'hello', value: Hello.fromPartial(hello) });
    this.epoch = (await this.take('welcome')).epoch;
  }

  grant(granted: number): void {
    this.say({ $case: 'credit', value: { epoch: this.epoch, granted, prefetch: 0 } });
  }

  /** The oldest message of this kind that was not taken. */
  take<C extends Message['$case']>(kind: C): Promise<ValueOf<C>> {
    const found = createDeferred<ValueOf<C>>();
    const look = (): void => {
      const index = this.incoming.findIndex((message) => message.$case === kind);
      const [message] = index < 0 ? [] : this.incoming.splice(index, 1);
      if (message !== undefined) {
        found.resolve(message.value as ValueOf<C>);
      }
    };
    this.wakeReader = look;
    look();
    this.ended.catch((error: unknown) => found.reject(error));
    return withTimeout(systemClock, LIMIT_MS, `waiting for a message "${kind}"`, found.promise);
  }

  hangUp(): void {
    this.hangingUp.abort();
    this.wakeWriter();
    this.channel.close();
  }

  private async read(): Promise<void> {
    const { metadata } = this;
    for await (const { message } of this.client.connect(this.write(), { metadata, signal: this.hangingUp.signal })) {
      if (message !== undefined) {
        this.incoming.push(message);
        this.wakeReader();
      }
      if (!this.reading) {
        await aborted(this.hangingUp.signal);
      }
    }
  }

  private async *write(): AsyncGenerator<WorkerMessage> {
    while (!this.hangingUp.signal.aborted) {
      yield* this.outgoing.splice(0);
      if (this.outgoing.length === 0 && !this.hangingUp.signal.aborted) {
        await new Promise<void>((resolve) => (this.wakeWriter = resolve));
      }
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
