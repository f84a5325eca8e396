import { readStat } from './proc.js';
import { eventually, startExecutor, stopExecutors } from './testing/executor-harness.js';
import { uptimeMs } from './uptime.js';

afterEach(stopExecutors);

const ATTEMPT = { command: 'setsid sleep 100 & sleep 100' };

describe('ExecutorProcess: the lease', () => {
  it('kills everything by itself when the lease runs out, and reports it', async () => {
    const { ends, leaseLost, marked, run, started } = await startExecutor({ leaseMs: 700 });
    const lost = leaseLost();
    const attempt = run(ATTEMPT);
    await started(attempt);

    expect(await lost).toEqual([attempt]);

    await eventually(1_000, () => marked().every(({ mark }) => !mark.endsWith(attempt)));
    expect(ends).toEqual([]);
  });

  it('goes on as long as the lease is renewed', async () => {
    const { executor, runToEnd } = await startExecutor({ leaseMs: 500 });
    const renewing = setInterval(() => executor.renewLease(uptimeMs(), 500), 100);

    const end = await runToEnd({ command: 'sleep 1.2' });

    clearInterval(renewing);
    expect(end.outcome).toBe('succeeded');
  });

  it('starts nothing without a lease, and starts again when there is one', async () => {
    const { executor, unstarted, run, runToEnd } = await startExecutor({ leaseMs: 0 });
    const refused = unstarted();

    const attempt = run({ command: 'true' });

    expect(await refused).toEqual({ attemptIds: [attempt], detail: 'the lease had run out' });
    executor.renewLease(uptimeMs(), 60_000);
    expect((await runToEnd({ command: 'true' })).outcome).toBe('succeeded');
  });

  it('counts from when the heartbeat was sent', async () => {
    const { executor, unstarted, run } = await startExecutor({ leaseMs: 0 });
    const refused = unstarted();
    executor.renewLease(uptimeMs() - 13_000, 12_000);

    const attempt = run({ command: 'true' });

    expect((await refused).attemptIds).toEqual([attempt]);
  });

  it('reads a renewal that came while it was stopped before it acts on the lease', async () => {
    const { ended, executor, run, started } = await startExecutor({ leaseMs: 1_500 });
    const attempt = run({ command: 'sleep 2' });
    await started(attempt);
    const pid = executor.pid ?? 0;
    const untilMs = uptimeMs() + 1_700;
    process.kill(pid, 'SIGSTOP');
    await eventually(1_000, () => readStat(pid)?.state === 'T');

    executor.renewLease(uptimeMs(), 60_000);
    await eventually(3_000, () => uptimeMs() > untilMs);
    process.kill(pid, 'SIGCONT');

    expect((await ended(attempt)).outcome).toBe('succeeded');
  });
});
