import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { type ApiBench, startApi } from '../testing/a-server.js';

let api: ApiBench;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

const series = async (): Promise<string[]> => (await api.get('/metrics')).text.split('\n');
const seriesOf = async (name: string): Promise<string[]> => (await series()).filter((line) => line.startsWith(name));

describe('GET /metrics', () => {
  it('shows what docs/metrics.md lists, and besides only what prom-client tells of a process', async () => {
    const docs = readFileSync(join(__dirname, '../../../../docs/metrics.md'), 'utf8');
    const listed = [...docs.matchAll(/^\| `(orchestrator_\w+)` \| (\w+) \|/gm)].map(
      ([, name, type]) => `${name} ${type}`,
    );
    const codes = [...docs.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);

    const shown = (await series())
      .filter((line) => line.startsWith('# TYPE '))
      .map((line) => line.slice('# TYPE '.length));
    const refused = await seriesOf('orchestrator_refused_total');

    expect(shown.filter((line) => line.startsWith('orchestrator_')).sort()).toEqual(listed.sort());
    expect(shown.filter((line) => !/^(orchestrator|process|nodejs)_/.test(line))).toEqual([]);
    expect(shown).toContain('nodejs_eventloop_lag_p99_seconds gauge');
    expect(refused.map((line) => /code="(\w+)"/.exec(line)?.[1]).sort()).toEqual(codes.sort());
  });

  it('is text for Prometheus, which says what was counted', async () => {
    api.counters.staleTerms = 3;
    api.counters.assigned = 7;

    const { status, headers, text } = await api.get('/metrics');

    expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(text).toContain('orchestrator_refused_total{code="STALE_TERM"} 3\n');
    expect(text).toContain('orchestrator_jobs_assigned_total 7\n');
    expect(text).toContain('orchestrator_redis_up 1\n');
  });

  it('counts requests by the template of their route and the class of their status', async () => {
    await api.get('/api/v1/jobs/default:01ARZ3NDEKTSV4RRFFQ69G5FAV');
    await api.post('/api/v1/jobs', '{');

    const counted = await seriesOf('orchestrator_http_requests_total');

    expect(counted).toContainEqual(
      'orchestrator_http_requests_total{method="GET",route="/api/v1/jobs/:id",status="4xx"} 1',
    );
    expect(counted).toContainEqual(
      'orchestrator_http_requests_total{method="POST",route="/api/v1/jobs",status="4xx"} 1',
    );
  });

  it('has no text of a user in a label, and as many series as before, whatever is asked', async () => {
    await api.get('/secret-0');
    await api.get('/api/v1/jobs/secret-0?state=secret-0');
    await api.send('/secret-0', { method: 'REPORT' });
    const before = await series();
    for (let i = 1; i < 50; i++) {
      await api.get(`/secret-${i}`);
      await api.get(`/api/v1/jobs/secret-${i}?state=secret-${i}`);
      await api.send(`/secret-${i}`, { method: i % 2 === 0 ? 'REPORT' : 'PROPFIND' });
    }
    const after = await series();

    expect(after.join('\n')).not.toContain('secret');
    expect(ofRequests(after)).toEqual(ofRequests(before));
    expect(after.filter((line) => line.includes('route="none"')).length).toBeGreaterThan(0);
  });

  it('is as closed as the rest: no other site, no other host name', async () => {
    expect((await api.get('/metrics', { origin: 'http://evil.example' })).status).toBe(403);
  });
});

/** Which series there are, but not their values; of a process the set may change by itself. */
function ofRequests(lines: string[]): string[] {
  return lines
    .filter((line) => line.startsWith('orchestrator_http_requests_total{'))
    .map((line) => line.split(' ')[0] ?? '');
}
