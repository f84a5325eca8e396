import { MARK } from '../commands.js';
import { HttpPool } from './http-pool.js';
import type { SteadyLoad, SteadyLoaded } from './loads.js';
import { toSubmission } from './submission.js';

const JOBS = '/api/v1/jobs';
const TICKS = 10;
/** Requests that may be without an answer before the load waits for one. */
const MOST_OPEN = 200;

/**
 * What users do all day, at a steady rate: in each tenth of a second so many single handlers and commands, one request
 * each, and once a second a batch of handlers.
 */
export async function steady(load: SteadyLoad): Promise<SteadyLoaded> {
  const { url, seconds, singles, commands, batch, marks } = load;
  const pool = new HttpPool(url);
  const sent: Promise<unknown>[] = [];
  let failure: unknown;
  const totals = { handlers: 0, commands: 0 };
  const post = (path: string, body: unknown): void => {
    const answered = pool.request('POST', `${JOBS}${path}`, 201, JSON.stringify(body));
    sent.push(answered.catch((error: unknown) => (failure ??= error)));
  };
  const handler = (): Record<string, unknown> => toSubmission({ kind: 'handler', name: 'noop' }, totals.handlers++);
  const since = performance.now();
  for (let tick = 0; tick < seconds * TICKS && failure === undefined; tick += 1) {
    const due = (perSecond: number): number[] =>
      Array.from({ length: Math.floor(((tick + 1) * perSecond) / TICKS) - Math.floor((tick * perSecond) / TICKS) });
    due(singles).forEach(() => post('', handler()));
    due(commands).forEach(() => post('', toSubmission({ kind: 'argv', argv: MARK, marks }, totals.commands++)));
    if (tick % TICKS === 0) {
      post('/batch', { jobs: Array.from({ length: batch }, handler) });
    }
    await Promise.all(sent.splice(0, Math.max(0, sent.length - MOST_OPEN)));
    const behindMs = performance.now() - since - ((tick + 1) * 1_000) / TICKS;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, -behindMs)));
  }
  await Promise.all(sent);
  pool.close();
  if (failure !== undefined) {
    throw failure as Error;
  }
  return { ...totals, ms: performance.now() - since };
}
