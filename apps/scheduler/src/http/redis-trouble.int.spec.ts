import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { usesContainers } from '@orchestrator/testing';

import { type Answer, type ApiBench, type ApiOptions, startApi } from '../testing/a-server.js';

const JOB = { name: 'a', command: 'true' };
/** What the contract promises of every answer while Redis is in trouble. */
const ANSWER_BOUND_MS = 3_000;
const BACK_BOUND_MS = 10_000;
const CLIENTS = 8;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Trouble {
  options?: ApiOptions;
  /** Begins and ends it. */
  cause(api: ApiBench): Promise<void>;
  /** Every request succeeds all the same. */
  isUnnoticed?: boolean;
  /** Default `ANSWER_BOUND_MS`. */
  boundMs?: number;
}

const PERSISTENT: ApiOptions = { persistent: true, args: ['--appendfsync', 'always'] };

const TROUBLES: Record<string, Trouble> = {
  'a crash': {
    options: PERSISTENT,
    cause: async ({ redis }) => {
      await redis.signal('SIGKILL');
      await sleep(1_000);
      await redis.restart();
    },
  },
  'an orderly restart': {
    options: PERSISTENT,
    cause: async ({ redis }) => {
      await redis.signal('SIGTERM');
      await sleep(1_000);
      await redis.restart();
    },
  },
  'a hang of five seconds': {
    cause: async ({ redis }) => {
      await redis.signal('SIGSTOP');
      await sleep(5_000);
      await redis.signal('SIGCONT');
    },
  },
  'answers that take half a second': {
    options: { proxied: true },
    isUnnoticed: true,
    // With a key a submission is six answers of Redis, one after the other.
    boundMs: 5_000,
    cause: async ({ proxy }) => {
      proxy.slow(500);
      await sleep(5_000);
      proxy.slow(0);
    },
  },
  'connections cut while answers are under way': {
    options: { proxied: true },
    cause: async ({ proxy }) => {
      for (let round = 0; round < 10; round += 1) {
        await proxy.loseAnswers();
        await sleep(50);
        proxy.heal();
        await sleep(200);
      }
    },
  },
  'CLIENT KILL TYPE normal': {
    cause: async ({ redis }) => {
      for (let round = 0; round < 10; round += 1) {
        await redis.client().call('CLIENT', 'KILL', 'TYPE', 'normal');
        await sleep(200);
      }
    },
  },
  'CLIENT PAUSE 3000 WRITE': {
    cause: async ({ redis }) => {
      await redis.client().call('CLIENT', 'PAUSE', 3_000, 'WRITE');
      await sleep(3_500);
    },
  },
  'CONFIG SET timeout 1': {
    cause: async ({ redis }) => {
      await redis.client().config('SET', 'timeout', '1');
      await sleep(4_000);
      await redis.client().config('SET', 'timeout', '0');
    },
  },
  'SCRIPT FLUSH': {
    isUnnoticed: true,
    cause: async ({ redis }) => {
      for (let round = 0; round < 50; round += 1) {
        await redis.client().script('FLUSH');
        await sleep(20);
      }
    },
  },
  'being made a read-only replica': {
    cause: async ({ redis }) => {
      const hand = redis.client();
      await hand.replicaof('127.0.0.1', 1);
      await sleep(2_000);
      await hand.replicaof('NO', 'ONE');
    },
  },
  'the loss of its replicas': {
    cause: async ({ redis }) => {
      await redis.client().config('SET', 'min-replicas-to-write', '1');
      await sleep(1_500);
      await redis.client().config('SET', 'min-replicas-to-write', '0');
    },
  },
};

const itWithDisk = canMount() ? it : it.skip;

describe('Redis in trouble', () => {
  it.each(Object.keys(TROUBLES))('%s: every answer is true and in time, nothing is lost or doubled', async (name) => {
    const { options = {}, cause, isUnnoticed = false, boundMs = ANSWER_BOUND_MS } = TROUBLES[name] as Trouble;
    const api = await startApi(options);
    try {
      const { body } = await api.post('/api/v1/jobs', JOB);
      const { seen, keys } = await underLoad(api, body.id as string, () => cause(api));

      expect(seen.submitted.length).toBeGreaterThan(0);
      const good = isUnnoticed ? [201] : [201, 503];
      expect(seen.submitted.filter(({ status }) => !good.includes(status))).toEqual([]);
      expect(seen.read.filter(({ status }) => status !== 200 && (isUnnoticed || status !== 503))).toEqual([]);
      for (const answer of [...seen.submitted, ...seen.read]) {
        expect(answer.tookMs).toBeLessThan(boundMs);
        expect([answer.status, answer.retryAfter]).toEqual([answer.status, answer.status === 503 ? '1' : null]);
      }
      await back(api);
      for (const key of keys) {
        expect(await api.post('/api/v1/jobs', JOB, { 'idempotency-key': key })).toMatchObject({ status: 201 });
      }
      expect((await api.store.counts('default')).queued).toBe(keys.length + 1);
    } finally {
      await api.stop();
    }
  });

  it('full: submissions are answered 507, all else goes on, and it recovers by itself', async () => {
    const api = await startApi();
    try {
      const session = await api.join('w');
      const { body: running } = await api.post('/api/v1/jobs', JOB);
      const { body: waiting } = await api.post('/api/v1/jobs', JOB);
      await api.redis.client().config('SET', 'maxmemory', '1000000');

      const refused = [
        await api.post('/api/v1/jobs', JOB),
        await api.post('/api/v1/jobs', JOB, { 'idempotency-key': 'full' }),
        await api.post('/api/v1/jobs/batch', { jobs: [JOB, JOB] }),
      ];
      for (const answer of refused) {
        expect([answer.status, answer.headers.get('retry-after')]).toEqual([507, '1']);
      }
      const job = await api.claim(session);
      await api.succeed(job, { stdout: 'done' });
      expect((await api.get(`/api/v1/jobs/${running.id}`)).body.state).toBe('succeeded');
      expect((await api.get('/api/v1/jobs')).status).toBe(200);
      expect((await api.get('/api/v1/workers')).status).toBe(200);
      expect((await api.post(`/api/v1/jobs/${waiting.id}/cancel`)).status).toBeLessThan(300);

      await api.redis.client().config('SET', 'maxmemory', '0');
      expect((await api.post('/api/v1/jobs', JOB, { 'idempotency-key': 'full' })).status).toBe(201);
    } finally {
      await api.stop();
    }
  });

  itWithDisk('a full disk: submissions are answered 503, reading goes on, and it recovers by itself', async () => {
    const disk = smallDisk();
    const api = await startApi({ persistent: true, args: ['--dir', disk.path] });
    try {
      const { body } = await api.post('/api/v1/jobs', JOB);
      disk.fill();
      const refused = await until(
        () => api.post('/api/v1/jobs', JOB),
        ({ status }) => status !== 201,
      );

      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
      expect((await api.get(`/api/v1/jobs/${body.id}`)).status).toBe(200);

      disk.free();
      await back(api);
    } finally {
      await api.stop();
      disk.remove();
    }
  });
});

describe('durability replica:1', () => {
  it('is answered 503 with the id while no replica confirms, and 201 for the same key as soon as one does', async () => {
    const [api, other] = await Promise.all([
      startApi({ durability: 'replica:1', args: ['--repl-diskless-sync-delay', '0'] }),
      startApi(),
    ]);
    try {
      const send = (): Promise<Answer> => api.post('/api/v1/jobs', JOB, { 'idempotency-key': 'k' });
      const began = performance.now();
      const single = await send();
      const batch = await api.post('/api/v1/jobs/batch', { jobs: [JOB, JOB] });

      expect(performance.now() - began).toBeLessThan(2 * ANSWER_BOUND_MS);
      expect([single.status, single.headers.get('retry-after')]).toEqual([503, '1']);
      expect(single.body).toMatchObject({
        type: 'urn:orchestrator:problem:durability-unknown',
        durability: 'unknown',
        id: expect.stringMatching(/^default:/) as string,
      });
      expect(batch.status).toBe(503);
      expect(batch.body).toMatchObject({ durability: 'unknown', batchId: expect.any(String) as string, total: 2 });
      expect((await api.get(`/api/v1/jobs/${single.body.id}`)).body.state).toBe('queued');
      expect((await api.get(`/api/v1/batches/${batch.body.batchId}`)).body.sealed).toBe(false);

      await other.redis.client().replicaof('127.0.0.1', api.redis.port);
      const confirmed = await until(send, ({ status }) => status === 201);
      expect(confirmed.body.id).toBe(single.body.id);
    } finally {
      await Promise.all([api.stop(), other.stop()]);
    }
  });
});

interface Seen {
  status: number;
  tookMs: number;
  retryAfter: string | null;
}

/** Submits with a key of its own each time, and reads a job that exists, while `cause` lasts. */
async function underLoad(
  api: ApiBench,
  id: string,
  cause: () => Promise<void>,
): Promise<{ seen: { submitted: Seen[]; read: Seen[] }; keys: string[] }> {
  const seen: { submitted: Seen[]; read: Seen[] } = { submitted: [], read: [] };
  const keys: string[] = [];
  let lasts = true;
  const timed = async (call: () => Promise<Answer>): Promise<Seen> => {
    const began = performance.now();
    const { status, headers } = await call();
    return { status, tookMs: performance.now() - began, retryAfter: headers.get('retry-after') };
  };
  const client = async (own: number): Promise<void> => {
    for (let n = 0; lasts; n += 1) {
      const key = `${own}-${n}`;
      keys.push(key);
      seen.submitted.push(await timed(() => api.post('/api/v1/jobs', JOB, { 'idempotency-key': key })));
      seen.read.push(await timed(() => api.get(`/api/v1/jobs/${id}`)));
      await sleep(20);
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, own) => client(own));
  await cause();
  lasts = false;
  await Promise.all(clients);
  return { seen, keys };
}

/** Submissions are accepted again. It leaves no job behind. */
async function back(api: ApiBench): Promise<void> {
  const key = { 'idempotency-key': '0-0' };
  await until(
    () => api.post('/api/v1/jobs', JOB, key),
    ({ status }) => status === 201,
  );
}

async function until(call: () => Promise<Answer>, holds: (answer: Answer) => boolean): Promise<Answer> {
  const end = performance.now() + BACK_BOUND_MS;
  for (;;) {
    const answer = await call();
    if (holds(answer)) {
      return answer;
    }
    if (performance.now() > end) {
      throw new Error(`still ${answer.status} after ${BACK_BOUND_MS} ms: ${answer.text}`);
    }
    await sleep(50);
  }
}

interface SmallDisk {
  path: string;
  fill(): void;
  free(): void;
  remove(): void;
}

function smallDisk(): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'orchestrator-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path], { stdio: 'ignore' });
  } catch (error) {
    rmSync(path, { recursive: true });
    throw error;
  }
  const ballast = join(path, 'ballast');
  return {
    path,
    fill() {
      const { bavail, bsize } = statfsSync(path);
      writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    },
    free: () => truncateSync(ballast, 0),
    remove() {
      execFileSync('umount', ['--lazy', path]);
      rmSync(path, { recursive: true });
    },
  };
}

/** Not everybody may mount one, and a server in a container has another. */
function canMount(): boolean {
  try {
    smallDisk().remove();
    return !usesContainers();
  } catch {
    return false;
  }
}
