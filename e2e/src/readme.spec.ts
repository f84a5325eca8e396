import { freePort } from '@orchestrator/testing';

import type { JobView } from './harness/api.js';
import { isFree } from './harness/ports.js';
import { exampleLines, runLine } from './harness/readme.js';
import { withCluster } from './harness/with-cluster.js';

const SUBMIT =
  `curl -X POST http://localhost:8080/api/v1/jobs -H "Content-Type: application/json" ` +
  `-d '{"name":"test_job","command":"echo Hello from worker","priority":1,"timeout":30}'`;
const ASK = 'curl http://localhost:8080/api/v1/jobs/{job_id}';
const LONG = `-d '{"name":"long_task","command":"sleep 30","timeout":60}'`;

describe('the README', () => {
  it('has the two lines of the scenario as they were agreed, and they work as they stand', async () => {
    const port = (await isFree(8080)) ? 8080 : await freePort();
    await withCluster({ workers: ['worker-1'], httpPort: port }, async (cluster) => {
      const lines = exampleLines('README.md');
      expect(lines).toContain(SUBMIT);
      expect(lines).toContain(ASK);

      const job = JSON.parse(await runLine(SUBMIT, port)) as JobView;
      expect(job).toMatchObject({ name: 'test_job' });
      await cluster.api.finalJob(job.id, 10_000);
      const answer = JSON.parse(await runLine(ASK, port, job.id)) as JobView;

      expect(answer).toMatchObject({ id: job.id, state: 'succeeded', exitCode: 0, worker: 'worker-1' });
      expect(await cluster.api.logs(job.id)).toBe('Hello from worker\n');
    });
  });

  it('has no curl line that does not work', async () => {
    const port = (await isFree(8080)) ? 8080 : await freePort();
    await withCluster({ workers: ['worker-1'], httpPort: port }, async (cluster) => {
      const { id } = await cluster.api.submit({ command: 'echo Hello; exit 3' });
      await cluster.api.finalJob(id, 10_000);
      const lines = [...exampleLines('README.md'), ...exampleLines('docs/architecture.md')].filter(
        (line) => line !== ASK,
      );
      expect(lines.some((line) => line.includes(LONG) && !line.includes('Content-Type'))).toBe(true);

      for (const line of lines) {
        const answer = await runLine(line, port, id);
        expect({ line, answer }).not.toMatchObject({
          answer: expect.stringContaining('urn:orchestrator:problem') as string,
        });
      }
    });
  });
});
