import { createHash } from 'node:crypto';

import type { Clock } from '@orchestrator/core';
import type { QueueStore } from '@orchestrator/queue';
import type { FastifyRequest } from 'fastify';

import { invalid, ProblemError } from './problem.js';

export interface Ids {
  ids: readonly string[];
  batchId?: string;
}

/** A submission that can be carried out twice with the same ids. */
export interface Submission<Answer> {
  makeIds(): Ids;
  /** Writes what is not written yet. */
  write(ids: Ids): Promise<Answer>;
  /** What to keep of the first answer. */
  encode(answer: Answer): string;
  decode(kept: string, ids: Ids): Answer;
}

export interface IdempotencyParams {
  store: Pick<QueueStore, 'beginIdempotent' | 'finishIdempotent'>;
  clock: Clock;
}

const KEY_PATTERN = /^[\x21-\x7e]{1,255}$/;

/**
 * Carries a submission out once for each `Idempotency-Key` of a path and a token. Its ids are made and kept before anything is written, so a
 * submission that was cut short, or that comes many times at once, is completed with the same ids: no job is there twice.
 */
export async function submitOnce<Answer>(
  request: FastifyRequest,
  submission: Submission<Answer>,
  { store, clock }: IdempotencyParams,
): Promise<{ answer: Answer; replayed: boolean }> {
  const header = request.headers['idempotency-key'];
  if (header === undefined) {
    return { answer: await submission.write(submission.makeIds()), replayed: false };
  }
  if (typeof header !== 'string' || !KEY_PATTERN.test(header)) {
    throw invalid('Idempotency-Key', 'expected 1 to 255 printable characters without spaces');
  }
  const { name } = request.caller;
  const key = sha256(`${request.routeOptions.url ?? ''}\n${header}${name === undefined ? '' : `\n${name}`}`);
  const bodyHash = sha256(canonicalJson(request.body));
  const { ids, batchId } = submission.makeIds();
  const { record, created } = await store.beginIdempotent(key, {
    bodyHash,
    ids,
    ...(batchId === undefined ? {} : { batchId }),
    createdAt: clock.wallMs(),
  });
  if (record.bodyHash !== bodyHash) {
    throw new ProblemError('idempotency-key-reused', 'this Idempotency-Key was used with another body before');
  }
  if (record.answer !== undefined) {
    return { answer: submission.decode(record.answer, record), replayed: true };
  }
  const answer = await submission.write(record);
  // The jobs are there: a record without an answer only means that a repetition looks at them again.
  await store.finishIdempotent(key, submission.encode(answer)).catch(() => undefined);
  return { answer, replayed: !created };
}

/** Equal for equal bodies, whatever the order of their keys and their white space. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
