import type { DispatchCounters } from '@orchestrator/dispatch';
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

export interface MetricsSources {
  counters: Readonly<DispatchCounters>;
  /** Workers served here. */
  connected(): number;
  leader: { isLeader: boolean; term: number | undefined };
  redisAnswers(): Promise<boolean>;
  /** Entries that the audit log could not keep. */
  auditLost(): number;
  /** Undefined without TLS. */
  certificateSecondsLeft?: (() => number) | undefined;
}

type Shown = { name: string; help: string } | { code: string };

/** How each thing that dispatching counts is shown: as a metric of its own, or by its code among what was refused. */
const SHOWN: Readonly<Record<keyof DispatchCounters, Shown>> = {
  assigned: { name: 'orchestrator_jobs_assigned_total', help: 'Attempts handed to workers.' },
  settled: { name: 'orchestrator_jobs_settled_total', help: 'Results accepted.' },
  returned: { name: 'orchestrator_jobs_returned_total', help: 'Attempts that workers gave back.' },
  reassigned: { name: 'orchestrator_jobs_lost_total', help: 'Jobs taken back from dead workers.' },
  adopted: { name: 'orchestrator_jobs_adopted_total', help: 'Attempts that Redis had lost and a worker still held.' },
  recoveries: { name: 'orchestrator_recoveries_total', help: 'Pools found on another Redis server than before.' },
  wedged: { name: 'orchestrator_workers_wedged_total', help: 'Workers found to beat but to take no work.' },
  balanced: { name: 'orchestrator_workers_moved_total', help: 'Workers told to move to a scheduler with fewer.' },
  staleTerms: { code: 'STALE_TERM' },
  staleEpochs: { code: 'STALE_EPOCH' },
  staleAttempts: { code: 'STALE_ATTEMPT' },
  slowConsumers: { code: 'SLOW_CONSUMER' },
  floods: { code: 'FLOODING' },
};

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What GET /metrics answers. Nothing that a user wrote is a label, so the number of series is bounded. */
export class SchedulerMetrics {
  readonly #registry = new Registry();
  /** Answered requests, by what the metric says of them. */
  readonly #requests = new Map<string, { labels: Record<string, string>; count: number }>();

  constructor(sources: MetricsSources) {
    const { counters, leader } = sources;
    this.#showCounters(counters);
    this.#showAuditLost(sources);
    this.#showGauge('orchestrator_workers_connected', 'Workers that this scheduler serves.', () => sources.connected());
    this.#showGauge('orchestrator_leader', '1 if this scheduler leads.', () => Number(leader.isLeader));
    this.#showGauge('orchestrator_term', 'The term it leads under; 0 when it does not lead.', () => leader.term ?? 0);
    this.#showGauge('orchestrator_redis_up', '1 if Redis answers this scheduler now.', async () =>
      Number(await sources.redisAnswers()),
    );
    const { certificateSecondsLeft } = sources;
    if (certificateSecondsLeft !== undefined) {
      const help = 'Seconds until the certificate of this scheduler expires; negative: it has.';
      this.#showGauge('orchestrator_tls_certificate_expires_seconds', help, certificateSecondsLeft);
    }
    this.#showRequests();
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** `route`: the template of a known one, as "/api/v1/jobs/:id". */
  requestAnswered(method: string, route: string | undefined, status: number): void {
    const known = METHODS.has(method) ? method : 'other';
    const kind = Math.floor(status / 100);
    const key = `${known} ${kind} ${route ?? 'none'}`;
    const requests = this.#requests.get(key);
    if (requests === undefined) {
      const labels = { method: known, route: route ?? 'none', status: `${kind}xx` };
      this.#requests.set(key, { labels, count: 1 });
    } else {
      requests.count += 1;
    }
  }

  #showRequests(): void {
    const shown = new Counter({
      name: 'orchestrator_http_requests_total',
      help: 'HTTP requests answered.',
      labelNames: ['method', 'route', 'status'],
      registers: [this.#registry],
      collect: () => {
        shown.reset();
        this.#requests.forEach(({ labels, count }) => shown.inc(labels, count));
      },
    });
  }

  #showCounters(counters: Readonly<DispatchCounters>): void {
    const registers = [this.#registry];
    const byCode: [code: string, counter: keyof DispatchCounters][] = [];
    for (const [key, shown] of Object.entries(SHOWN) as [keyof DispatchCounters, Shown][]) {
      if ('code' in shown) {
        byCode.push([shown.code, key]);
      } else {
        const collect = (): void => {
          counter.reset();
          counter.inc(counters[key]);
        };
        const counter = new Counter({ ...shown, registers, collect });
      }
    }
    const refused = new Counter({
      name: 'orchestrator_refused_total',
      help: 'What came too late or was too much, and was refused, by its code.',
      labelNames: ['code'],
      registers,
      collect: () => {
        refused.reset();
        byCode.forEach(([code, key]) => refused.inc({ code }, counters[key]));
      },
    });
  }

  #showAuditLost(sources: MetricsSources): void {
    const lost = new Counter({
      name: 'orchestrator_audit_lost_total',
      help: 'Entries that the audit log could not keep, as on a full disk.',
      registers: [this.#registry],
      collect: () => {
        lost.reset();
        lost.inc(sources.auditLost());
      },
    });
  }

  #showGauge(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      async collect() {
        this.set(await read());
      },
    });
  }
}
