import { writeFileSync } from 'node:fs';

import { letPass } from './harness/wait.js';
import { withCluster } from './harness/with-cluster.js';

const EXIT_WITHIN_MS = 10_000;

describe('exit codes', () => {
  it('ends a worker with a wrong join token with 3, before it was given anything', () =>
    withCluster({ schedulerArgs: ['--auth-join-token=right'] }, async (cluster) => {
      const { id } = await cluster.api.submit({ command: 'true' });

      const worker = cluster.launchWorker('intruder', { args: ['--join-token=wrong'] });
      const exit = await worker.ended(EXIT_WITHIN_MS);

      expect(exit).toEqual({ code: 3, signal: null });
      expect(worker.output).toMatch(/join token/i);
      expect(worker.output).not.toContain('wrong');
      expect(await cluster.api.job(id)).toMatchObject({ state: 'queued', attempt: 0 });
      expect((await cluster.api.workers()).map((each) => each.id)).toEqual([]);
    }));

  it('lets a worker with the right join token in', () =>
    withCluster({ schedulerArgs: ['--auth-join-token=right'] }, async (cluster) => {
      await cluster.startWorker('friend', { args: ['--join-token=right'] });
      const { id } = await cluster.api.submit({ command: 'true' });

      expect(await cluster.api.finalJob(id, 10_000)).toMatchObject({ state: 'succeeded', worker: 'friend' });
    }));

  it.each(['scheduler', 'worker'])('ends a %s with 2 and one readable message when its configuration is bad', (app) =>
    withCluster({}, async (cluster) => {
      const file = cluster.file('bad.yaml');
      writeFileSync(file, 'log:\n  levle: debug\n');
      const main = `apps/${app}/dist/main.js`;

      for (const args of [
        ['--config', file],
        ['--config', cluster.file('missing.yaml')],
        ['--log-level=loud'],
        ['--what'],
      ]) {
        const program = cluster.launch(`${app} ${args.join(' ')}`, main, args);
        expect(await program.ended(EXIT_WITHIN_MS)).toEqual({ code: 2, signal: null });
        expect(program.output).toMatch(/levle|missing\.yaml|loud|what/);
        expect(program.output).not.toMatch(/^\s+at .*:\d+:\d+/m);
      }
    }),
  );

  it('does not end a worker or a scheduler whose counterpart is not there yet', () =>
    withCluster({ workers: ['worker-1'] }, async (cluster) => {
      const early = cluster.launch('early', 'apps/worker/dist/main.js', ['--id=early', '--schedulers=127.0.0.1:1']);
      const alone = cluster.launch('alone', 'apps/scheduler/dist/main.js', [
        '--redis-url=redis://127.0.0.1:1',
        '--http-port=0',
        '--grpc-port=0',
      ]);

      await letPass(3_000);

      expect([early.exit, alone.exit]).toEqual([undefined, undefined]);
    }));
});
