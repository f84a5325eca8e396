import { DEFAULT_FREEZE_LIMIT_MS, DEFAULT_TIMEOUT_MS } from '@orchestrator/core';

import { aRef } from './testing/messages.js';
import { toCommand, toHandler } from './to-run.js';

describe('toCommand and toHandler', () => {
  const defaults = { killGraceMs: 5_000, maxOutputBytes: 1_000 };
  const attempt = (spec: object) => ({
    ref: aRef('a'),
    spec: { name: 'test', ...spec },
    specJson: JSON.stringify({ name: 'test', ...spec }),
    number: 2,
    traceparent: '00-1-1-01',
  });

  it('tells the command who it is, whatever its own environment says', () => {
    const spec = { command: 'true', env: { A: '1', ORCHESTRATOR_JOB_ID: 'forged' }, batchId: 'b1' };

    expect(toCommand(attempt(spec), 'worker-1', defaults).env).toEqual({
      A: '1',
      ORCHESTRATOR_JOB_ID: aRef('a').jobId,
      ORCHESTRATOR_JOB_NAME: 'test',
      ORCHESTRATOR_ATTEMPT: '2',
      ORCHESTRATOR_FENCE: '1000',
      ORCHESTRATOR_WORKER_ID: 'worker-1',
      ORCHESTRATOR_BATCH_ID: 'b1',
      TRACEPARENT: '00-1-1-01',
    });
  });

  it('fills in what the job leaves out', () => {
    const command = toCommand(attempt({ argv: ['true'] }), 'worker-1', defaults);

    expect(command).toMatchObject({ argv: ['true'], timeoutMs: DEFAULT_TIMEOUT_MS, killGraceMs: 5_000 });
    expect(command).not.toHaveProperty('command');
  });

  it('freezes at the end of the lease unless the job says otherwise', () => {
    const said = { onLeaseLost: 'continue', freezeLimitMs: 1_000 };

    expect(toCommand(attempt({ command: 'true' }), 'worker-1', defaults)).toMatchObject({
      onLeaseLost: 'freeze',
      freezeLimitMs: DEFAULT_FREEZE_LIMIT_MS,
    });
    expect(toCommand(attempt({ command: 'true', ...said }), 'worker-1', defaults)).toMatchObject(said);
  });

  it('keeps a timeout of 0: none', () => {
    expect(toCommand(attempt({ command: 'true', timeoutMs: 0 }), 'worker-1', defaults).timeoutMs).toBe(0);
  });

  it('hands a handler its spec as it arrived, and its job', () => {
    expect(toHandler(attempt({ handler: 'resize', data: [1] }), 'worker-1', defaults)).toMatchObject({
      jobId: aRef('a').jobId,
      specJson: '{"name":"test","handler":"resize","data":[1]}',
      attempt: 2,
      fence: 1_000,
    });
  });
});
