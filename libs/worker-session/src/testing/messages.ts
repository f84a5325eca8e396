import {
  type Assignment,
  type AttemptRef,
  type SchedulerMessage,
  type Verdict,
  VerdictKind,
  type Welcome,
  type WorkerMessage,
} from '@orchestrator/proto-types';

const ULID = '01JD0000000000000000000000';

export function aRef(attemptId: string): AttemptRef {
  return { jobId: `default:${ULID}`, attemptId, fence: 1_000 };
}

export function anAssignment(attemptId: string, spec: object = { name: 'test', command: 'true' }): Assignment {
  return { attempt: aRef(attemptId), specJson: JSON.stringify(spec), number: 1, traceparent: '' };
}

export function welcome(over: Partial<Welcome> = {}): SchedulerMessage {
  const value: Welcome = {
    helloNumber: 1,
    epoch: 100,
    heartbeatIntervalMs: 3_000,
    leaseMs: 12_000,
    schedulerId: 'scheduler-test',
    verdicts: [],
    schedulerVersion: '0.1.0',
    packed: false,
    ...over,
  };
  return { message: { $case: 'welcome', value } };
}

export function assign(epoch: number, ...attempts: (string | Assignment)[]): SchedulerMessage {
  const list = attempts.map((one) => (typeof one === 'string' ? anAssignment(one) : one));
  const value = { epoch, attempts: list, packed: '' };
  return { message: { $case: 'assign', value } };
}

export function recorded(...ids: string[]): SchedulerMessage {
  return { message: { $case: 'recorded', value: { attempts: ids.map(aRef), packed: '' } } };
}

export function held(attemptId: string): Verdict {
  return { attempt: aRef(attemptId), kind: VerdictKind.HELD };
}

export function gone(attemptId: string): Verdict {
  return { attempt: aRef(attemptId), kind: VerdictKind.GONE };
}

export function unknown(attemptId: string): Verdict {
  return { attempt: aRef(attemptId), kind: VerdictKind.UNKNOWN };
}

export function heldLater(helloNumber: number, ...verdicts: Verdict[]): SchedulerMessage {
  return { message: { $case: 'held', value: { helloNumber, verdicts } } };
}

export function acknowledge(sequence: number): SchedulerMessage {
  return { message: { $case: 'heartbeatAck', value: { sequence } } };
}

export type Case = NonNullable<WorkerMessage['message']>['$case'];

export type ValueOf<C extends Case> = Extract<NonNullable<WorkerMessage['message']>, { $case: C }>['value'];

/** The values of the messages of one kind. */
export function only<C extends Case>(messages: readonly WorkerMessage[], kind: C): ValueOf<C>[] {
  return messages.flatMap(({ message }) => (message?.$case === kind ? [message.value as ValueOf<C>] : []));
}
