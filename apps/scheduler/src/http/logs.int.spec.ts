import { type ApiBench, type JsonBody, startApi } from '../testing/a-server.js';

let api: ApiBench;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

let pools = 0;

/** A job that has been started, in a pool of its own. */
async function started(fields: object = {}): Promise<{ id: string; pool: string; session: string; job: Claimed }> {
  const pool = `pool-${++pools}`;
  const { body } = await api.post('/api/v1/jobs', { name: 'a', command: 'true', pool, ...fields });
  const session = await api.join(`worker-${pool}`, [pool]);
  return { id: body.id, pool, session, job: await api.claim(session, pool) };
}
type Claimed = Awaited<ReturnType<ApiBench['claim']>>;

function chunk(job: Claimed, stream: 'stdout' | 'stderr', offset: number, sequence: number, text: string | Buffer) {
  const { ulid, attemptId, fence, number } = job;
  return { ulid, attemptId, fence, number, stream, offset, sequence, data: Buffer.from(text) };
}

/** Reads a stream of events to its end. */
async function readEvents(response: Response): Promise<{ event: string; data: JsonBody }[]> {
  const text = await response.text();
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('event: '))
    .map((block) => {
      const [event = '', data = ''] = block.split('\n');
      return { event: event.slice('event: '.length), data: JSON.parse(data.slice('data: '.length)) };
    });
}

describe('GET /api/v1/jobs/{id}/logs', () => {
  it('answers both streams as they came, one of them, or the last lines', async () => {
    const { id, pool, job } = await started();
    await api.store.appendOutput(pool, [
      chunk(job, 'stdout', 0, 1, 'one\ntwo\n'),
      chunk(job, 'stderr', 0, 2, 'oops\n'),
      chunk(job, 'stdout', 8, 3, 'three ü\n'),
    ]);
    await api.succeed(job, { pool });
    const path = `/api/v1/jobs/${id}/logs`;

    const all = await api.get(path);

    expect(all.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(all.headers.get('x-content-type-options')).toBe('nosniff');
    expect(all.text).toBe('one\ntwo\noops\nthree ü\n');
    expect((await api.get(`${path}?stream=stderr`)).text).toBe('oops\n');
    expect((await api.get(`${path}?stream=stdout&tail=2`)).text).toBe('two\nthree ü\n');
    expect((await api.get(`${path}?tail=0`)).text).toBe('');
    expect((await api.get(`${path}?attempt=1`)).text).toBe(all.text);
  });

  it('answers what no terminal should see byte for byte, as nothing but text, and valid events', async () => {
    const { id, pool, job } = await started();
    const bytes = Buffer.concat([
      Buffer.from([0, 1, 0xff, 0xfe, 0xc3, 0x28]),
      Buffer.from('\x1b[2J\x1b]0;title\x07<script>alert(1)</script>\r\ndata: forged\n\nevent: end\n'),
      Buffer.from([0xe2, 0x82]),
    ]);
    await api.store.appendOutput(pool, [
      chunk(job, 'stdout', 0, 1, bytes.subarray(0, 5)),
      chunk(job, 'stdout', 5, 2, bytes.subarray(5)),
    ]);
    await api.succeed(job, { pool });

    const response = await fetch(`${api.url}/api/v1/jobs/${id}/logs`);
    const events = await fetch(`${api.url}/api/v1/jobs/${id}/logs?follow=true`).then(readEvents);

    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(events.map(({ event }) => event).filter((event) => event !== 'stdout')).toEqual(['end']);
    expect(events.map(({ data }) => String(data.text ?? '')).join('')).toBe(bytes.toString());
  });

  it('says what is not there', async () => {
    const { body } = await api.post('/api/v1/jobs', { name: 'a', command: 'true', pool: 'quiet' });
    const path = `/api/v1/jobs/${body.id}/logs`;

    expect([(await api.get(path)).status, (await api.get(path)).text]).toEqual([200, '']);
    expect((await api.get(`${path}?attempt=1`)).body.type).toBe('urn:orchestrator:problem:attempt-not-found');
    expect((await api.get('/api/v1/jobs/nonsense/logs')).status).toBe(404);
    for (const query of ['attempt=0', 'attempt=x', 'stream=both', 'tail=-1', 'follow=yes', 'x=1']) {
      expect((await api.get(`${path}?${query}`)).status).toBe(400);
    }
  });

  it('answers 410 when the output was trimmed', async () => {
    const { id, pool, job } = await started();
    await api.succeed(job, { pool, stdout: 'x'.repeat(1_000) });
    await api.store.trim(pool, { maxFinished: 10, maxOutputBytes: 0 });

    const answer = await api.get(`/api/v1/jobs/${id}/logs`);

    const followed = await api.get(`/api/v1/jobs/${id}/logs?follow=true`);

    expect([answer.status, answer.body.type]).toEqual([410, 'urn:orchestrator:problem:output-trimmed']);
    expect([followed.status, followed.body.type]).toEqual([410, 'urn:orchestrator:problem:output-trimmed']);
  });

  it('says before a stream begins what cannot be followed', async () => {
    const { id, pool, job } = await started();
    await api.succeed(job, { pool, stdout: 'x\n' });
    const path = `/api/v1/jobs/${id}/logs`;

    const attempt = await api.get(`${path}?follow=true&attempt=2`);
    const tail = await api.get(`${path}?tail=1`, { accept: 'text/event-stream' });

    expect([attempt.status, attempt.body.type]).toEqual([404, 'urn:orchestrator:problem:attempt-not-found']);
    expect([tail.status, tail.body.errors[0].path]).toEqual([400, 'tail']);
  });

  it.each([
    ['?follow=true', {}],
    ['', { accept: 'text/event-stream' }],
  ])('follows a job to its end (%s)', async (query, headers) => {
    const { id, pool, job } = await started();
    const umlaut = Buffer.from('ü');
    await api.store.appendOutput(pool, [
      chunk(job, 'stdout', 0, 1, Buffer.concat([Buffer.from('a'), umlaut.subarray(0, 1)])),
    ]);

    const response = await fetch(`${api.url}/api/v1/jobs/${id}/logs${query}`, { headers });
    const events = readEvents(response);
    await api.store.appendOutput(pool, [
      chunk(job, 'stdout', 2, 2, umlaut.subarray(1)),
      chunk(job, 'stderr', 0, 3, 'b\r\nc\n'),
    ]);
    await api.succeed(job, { pool });

    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    const all = await events;
    const textOf = (stream: string): string =>
      all
        .filter(({ event }) => event === stream)
        .map(({ data }) => data.text as string)
        .join('');
    expect([textOf('stdout'), textOf('stderr')]).toEqual(['aü', 'b\r\nc\n']);
    expect(all.at(-1)).toEqual({ event: 'end', data: { attempt: 1, state: 'succeeded', exitCode: 0 } });
  });

  it('follows a job from attempt to attempt', async () => {
    const { id, pool, session, job } = await started({ attempts: 2, backoff: { delay: 0, jitter: 'none' } });
    const events = fetch(`${api.url}/api/v1/jobs/${id}/logs?follow=true`).then(readEvents);
    await api.succeed(job, { pool, stdout: 'first\n', exitCode: 1 });
    let second: Claimed | undefined;
    while (second === undefined) {
      second = await api.claim(session, pool).catch(() => undefined);
    }
    await api.succeed(second, { pool, stdout: 'second\n' });

    const all = await events;

    expect(all.map(({ event, data }) => [event, data.attempt, data.text ?? data.state] as unknown[])).toEqual(
      expect.arrayContaining([
        ['stdout', 2, 'second\n'],
        ['end', 2, 'succeeded'],
      ]),
    );
  });
});
