import { EventEmitter, once } from 'node:events';

import { systemClock } from '@orchestrator/core';
import { ManualClock } from '@orchestrator/testing';

import type { AuditEntry } from '../audit/audit-entry.js';
import { Refusals } from '../audit/refusals.js';
import { type ApiBench, startApi } from '../testing/a-server.js';
import { rawClient } from '../testing/raw-client.js';
import { tableOf, testToken } from '../testing/tokens.js';

const ADMIN = testToken('rules', 'admin');
const VIEWER = testToken('reads', 'viewer');
const SECRET = 'a-secret-of-the-job';

describe('the audit log of the API', () => {
  let api: ApiBench;
  const told: AuditEntry[] = [];
  const clock = new ManualClock();
  const news = new EventEmitter();
  const audit = {
    record: (entry: AuditEntry) => {
      told.push(entry);
      news.emit('entry');
    },
  };

  const toldOf = async (call: () => Promise<unknown>): Promise<AuditEntry[]> => {
    told.length = 0;
    await call();
    return [...told];
  };

  beforeAll(async () => {
    const refusals = new Refusals({ audit, clock });
    api = await startApi({
      tokens: tableOf(ADMIN, VIEWER),
      http: { audit: { log: audit, refusals, clock: systemClock } },
    });
  });
  afterAll(() => api.stop());

  it('has an entry for a job that was submitted: who, from where, which, and nothing of its content', async () => {
    let id = '';
    const entries = await toldOf(async () => {
      const job = { name: 'build', command: `echo ${SECRET}`, env: { PASSWORD: SECRET }, stdin: SECRET };
      id = (await api.post('/api/v1/jobs', job, ADMIN.headers)).body.id;
    });

    expect(entries).toEqual([
      {
        atMs: expect.any(Number),
        action: 'job.submit',
        who: 'rules',
        from: '127.0.0.1',
        targets: [id],
        outcome: 'done',
        status: 201,
      },
    ]);
    expect(JSON.stringify(entries)).not.toContain(SECRET);
  });

  it('has one for what did not work, too', async () => {
    const missing = `default:${'0'.repeat(25)}1`;
    const entries = await toldOf(() => api.post(`/api/v1/jobs/${missing}/cancel`, undefined, ADMIN.headers));

    expect(entries).toMatchObject([
      { action: 'job.cancel', who: 'rules', targets: [missing], outcome: 'refused', status: 404 },
    ]);
  });

  it('has one for who hung up before it was answered', async () => {
    const body = JSON.stringify({ name: 'unseen', command: 'true' });
    const head = `POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${ADMIN.headers.authorization}\r\n`;
    told.length = 0;
    const entry = once(news, 'entry');
    const { socket } = rawClient(api.service.port ?? 0);
    await once(socket, 'connect');
    socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`, () => socket.resetAndDestroy());

    await entry;
    const [job] = (await api.get('/api/v1/jobs', VIEWER.headers)).body.items;
    expect(job.name).toBe('unseen');
    expect(told).toMatchObject([
      { action: 'job.submit', who: 'rules', from: '127.0.0.1', targets: [job.id], outcome: 'done', status: 201 },
    ]);
  });

  it('gives no reason that may cite a body', async () => {
    const entries = await toldOf(() =>
      api.post('/api/v1/jobs', { name: 'a', command: 'true', [SECRET]: 1 }, ADMIN.headers),
    );

    expect(entries).toMatchObject([{ action: 'job.submit', outcome: 'refused', status: 400 }]);
    expect(entries[0]).not.toHaveProperty('detail');
  });

  it('has none for reading', async () => {
    expect(await toldOf(() => api.get('/api/v1/jobs', VIEWER.headers))).toEqual([]);
  });

  it('has one for each of the first refusals: a role too small, a wrong token, without the token', async () => {
    const entries = await toldOf(async () => {
      await api.post('/api/v1/jobs', { name: 'a', command: 'true' }, VIEWER.headers);
      await api.get(`/api/v1/jobs?token=${SECRET}`, { authorization: `Bearer ${SECRET}` });
    });

    expect(entries).toMatchObject([
      {
        action: 'job.submit',
        who: 'reads',
        outcome: 'refused',
        status: 403,
        detail: "this takes the role submitter, and the token's is viewer",
      },
      {
        action: 'access.check',
        who: undefined,
        outcome: 'refused',
        status: 401,
        detail: 'the token is not known here, or no longer',
      },
    ]);
    expect(JSON.stringify(entries)).not.toContain(SECRET);
  });
});
