import { systemClock } from '@orchestrator/core';
import { Status } from 'nice-grpc';

import { type GrpcBench, startGrpcBench } from './testing/grpc-bench.js';
import type { StreamWorker } from './testing/stream-worker.js';

const LIMIT_MS = 10_000;
const MIB = 1024 * 1024;

async function until(holds: () => boolean): Promise<void> {
  const limit = systemClock.monotonicMs() + LIMIT_MS;
  while (!holds()) {
    if (systemClock.monotonicMs() > limit) {
      throw new Error(`${holds.toString()} did not come true within ${LIMIT_MS} ms`);
    }
    await new Promise<void>((resolve) => systemClock.setTimer(5, resolve));
  }
}

function beat(worker: StreamWorker, sequence: number): void {
  const usage = { freeSlots: 1, load: 0, memoryUsedBytes: 0, memoryTotalBytes: 0 };
  worker.say({ $case: 'heartbeat', value: { epoch: worker.epoch, sequence, acknowledged: sequence - 1, ...usage } });
}

describe('a worker that does harm', () => {
  let bench: GrpcBench;
  let other: StreamWorker;
  beforeEach(async () => {
    bench = await startGrpcBench({
      outbox: { maxMessages: 4_096, maxBytes: MIB },
      linkEndLimits: { faultMs: 300, otherMs: 1_000 },
      messageLimits: { perSecond: 1_000, burst: 2_000 },
    });
    other = bench.dial();
    await other.greet();
  });
  afterEach(() => bench.stop());

  const otherIsWell = async (): Promise<void> => {
    expect(bench.dispatch.isServing(other.session)).toBe(true);
    beat(other, 1);
    await other.take('heartbeatAck');
  };

  it('SLOW_CONSUMER: is cut off with its connection when it reads nothing, alone and at a bounded cost', async () => {
    const worker = bench.dial();
    await worker.greet({ slots: 100 });
    expect(bench.server.connections).toBe(2);
    for (let i = 0; i < 80; i += 1) {
      await bench.submit({ stdin: 'x'.repeat(MIB / 2) });
    }

    worker.stopReading();
    worker.grant(100);

    await until(() => bench.dispatch.counters.slowConsumers === 1);
    expect(bench.dispatch.isServing(worker.session)).toBe(false);
    // Its own gRPC reads 16 messages ahead.
    expect(bench.dispatch.counters.assigned).toBeLessThan(40);
    await until(() => bench.server.connections === 1);
    await otherIsWell();
  });

  it('FLOODING: is named and cut off with its connection when it sends without end', async () => {
    const worker = bench.dial();
    await worker.greet();

    for (let sequence = 1; sequence <= 20_000; sequence += 1) {
      beat(worker, sequence);
    }

    await expect(worker.ended).rejects.toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
      details: expect.stringContaining('FLOODING') as string,
    });
    await otherIsWell();
    await until(() => bench.server.connections === 1);
    expect(bench.dispatch.counters.floods).toBe(1);
  });

  it('leaves the connection of a worker alone whose stream ended in good order', async () => {
    const worker = bench.dial();
    await worker.greet();

    worker.say({ $case: 'goodbye', value: {} });

    await worker.ended;
    await new Promise<void>((resolve) => systemClock.setTimer(1_200, resolve)); // longer than `otherMs`
    expect(bench.server.connections).toBe(2);
  });
});
