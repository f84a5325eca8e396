import type { HelloRequest, Renewal, SessionRegistry } from '../registry.js';

/** A Hello with defaults, for tests. */
export function aHello(over: Partial<HelloRequest> = {}): HelloRequest {
  return {
    session: 'session-a',
    worker: 'worker-1',
    number: 1,
    hasRun: false,
    leaseMs: 12_000,
    scheduler: 'scheduler-1',
    info: { pools: ['default'], slots: 4, labels: { zone: 'x' }, version: '0.1.0', host: 'host-1', pid: 42 },
    ...over,
  };
}

export function aRenewal(session: string, epoch: number): Renewal {
  return { session, epoch, freeSlots: 3, load: 0.5, memoryUsedBytes: 1_000, memoryTotalBytes: 2_000 };
}

/** Says Hello and answers the epoch of the Welcome. */
export async function welcome(registry: SessionRegistry, over: Partial<HelloRequest> = {}): Promise<number> {
  const reply = await registry.hello(aHello(over));
  if (reply.status !== 'welcome') {
    throw new Error(`expected a welcome, got ${reply.status}`);
  }
  return reply.epoch;
}
