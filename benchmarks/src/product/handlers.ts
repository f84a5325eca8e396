import { createServer } from 'node:http';

import type { JobData } from '../job-data.js';
import { Ledger } from '../ledger.js';

// The module that workers load in the bench. Its handlers count what they execute, and a socket tells the bench what
// they counted, so that counting costs nothing while it is measured.

const DOUBLES_IN_A_MIB = 131_072;

const ledger = new Ledger();
let closed: (() => void)[] = [];

/** A heap that is there to be in the way: BENCH_BALLAST_MIB of numbers, held for good. */
export const ballast = Array.from({ length: Number(process.env['BENCH_BALLAST_MIB'] ?? 0) }, (_, index) =>
  new Array<number>(DOUBLES_IN_A_MIB).fill(index + 0.5),
);

export function noop({ data }: { data: JobData }): void {
  ledger.started(data.i);
}

/** Keeps its slot until the bench opens all gates: a queue can be filled behind it. */
export async function gate(): Promise<void> {
  await new Promise<void>((resolve) => closed.push(resolve));
}

const server = createServer((request, response) => {
  const answer = operations[`${request.method} ${request.url}`];
  response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer?.() ?? null));
});

const operations: Readonly<Record<string, () => unknown>> = {
  'GET /ledger': () => ledger.page(),
  'GET /gates': () => closed.length,
  'POST /reset': () => ledger.reset(),
  'POST /open': () => {
    closed.forEach((open) => open());
    closed = [];
  },
};

server.listen(process.env['BENCH_EAR']);
