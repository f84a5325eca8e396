import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type ExecutorHarness, eventually, startExecutor, stopExecutors } from './testing/executor-harness.js';

afterEach(stopExecutors);

/** Commands beyond the slots stand by in the executor for the first one that ends. */
describe('ExecutorProcess: slots', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'slots-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs until its file `go` is there; its own file tells that it has started. */
  const held = (harness: ExecutorHarness, name: string, slots: number): string => {
    const id = `${name}.0`;
    const command = `: >${folder}/${name}; while ! [ -e ${folder}/go-${name} ]; do sleep 0.01; done`;
    const attempt = { attemptId: id, command, env: {}, timeoutMs: 0, killGraceMs: 0, maxOutputBytes: 1_000 };
    harness.executor.run(attempt, slots);
    return id;
  };
  const started = (): string[] => readdirSync(folder).filter((name) => !name.startsWith('go-'));
  const letGo = (name: string): void => writeFileSync(join(folder, `go-${name}`), '');
  const hasStarted = (name: string): Promise<boolean> => eventually(5_000, () => existsSync(join(folder, name)));

  it('starts no more than may run, the others in their order as those end', async () => {
    const harness = await startExecutor();
    const ids = ['a', 'b', 'c', 'd'].map((name) => held(harness, name, 2));
    await hasStarted('a');
    await hasStarted('b');

    letGo('b');
    await hasStarted('c');
    const afterOne = started();
    ['a', 'c', 'd'].forEach(letGo);
    await Promise.all(ids.map(harness.ended));

    expect(afterOne.sort()).toEqual(['a', 'b', 'c']);
    expect(harness.ends.every(({ outcome }) => outcome === 'succeeded')).toBe(true);
  });

  it('never runs more than that of many short ones, and tells the end of each', async () => {
    const harness = await startExecutor();
    const command = `echo x >>${folder}/log; n=$(ls ${folder}/on 2>/dev/null | wc -l); mkdir -p ${folder}/on/$$; ls ${folder}/on | wc -l >>${folder}/most; rmdir ${folder}/on/$$`;
    const ids = Array.from({ length: 60 }, (_, at) => `short-${at}.0`);

    const attempt = { command, env: {}, timeoutMs: 0, killGraceMs: 0, maxOutputBytes: 1_000 };
    ids.forEach((attemptId) => harness.executor.run({ ...attempt, attemptId }, 2));
    await Promise.all(ids.map(harness.ended));

    const most = readFileSync(join(folder, 'most'), 'utf8').trim().split('\n').map(Number);
    expect(most).toHaveLength(60);
    expect(Math.max(...most)).toBeLessThanOrEqual(2);
    expect(new Set(harness.ends.map(({ attemptId }) => attemptId)).size).toBe(60);
  });

  it('gives back what is recalled before it has started, and nothing else', async () => {
    const harness = await startExecutor();
    const unstarted = harness.unstarted();
    const running = held(harness, 'a', 1);
    const waiting = held(harness, 'b', 1);
    await hasStarted('a');

    harness.executor.recall(running);
    harness.executor.recall(waiting);

    expect((await unstarted).attemptIds).toEqual([waiting]);
    letGo('a');
    expect((await harness.ended(running)).outcome).toBe('succeeded');
    expect(started()).toEqual(['a']);
  });

  it('has the next one start when one is killed, and never starts one that was', async () => {
    const harness = await startExecutor();
    const [first = '', second = '', third = ''] = ['a', 'b', 'c'].map((name) => held(harness, name, 1));
    await hasStarted('a');

    await harness.executor.kill(second);
    await harness.executor.kill(first);
    await hasStarted('c');
    letGo('c');

    expect((await harness.ended(third)).outcome).toBe('succeeded');
    expect(started().sort()).toEqual(['a', 'c']);
    expect(harness.ends).toHaveLength(1);
  });

  it('gives back what stands by when the lease runs out, and what comes after', async () => {
    const harness = await startExecutor({ leaseMs: 1_500 });
    const [lost, unstarted] = [harness.leaseLost(), harness.unstarted()];
    const [running = '', waiting = ''] = ['a', 'b'].map((name) => held(harness, name, 1));
    await hasStarted('a');

    expect(await unstarted).toEqual({ attemptIds: [waiting], detail: 'the lease had run out' });
    expect(await lost).toEqual([running]);
    const refused = harness.unstarted();
    const late = held(harness, 'c', 0);

    expect((await refused).attemptIds).toEqual([late]);
    expect(started()).toEqual(['a']);
  });

  it('gives back what is recalled while there is no executor', async () => {
    const harness = await startExecutor();
    const lost = harness.executorLost();
    process.kill(harness.executor.pid ?? 0, 'SIGKILL');
    await lost;
    const unstarted = harness.unstarted();

    const [first = '', second = ''] = ['a', 'b'].map((name) => held(harness, name, 1));
    harness.executor.recall(second);

    expect((await unstarted).attemptIds).toEqual([second]);
    letGo('a');
    expect((await harness.ended(first)).outcome).toBe('succeeded');
    expect(started()).toEqual(['a']);
  });
});
