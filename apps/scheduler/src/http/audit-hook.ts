import type { Clock } from '@orchestrator/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import type { AuditEntry, AuditLog } from '../audit/audit-entry.js';
import type { Refusals } from '../audit/refusals.js';
import { routeOf } from './route-of.js';

export interface AuditHookDeps {
  log: AuditLog;
  refusals: Refusals;
  clock: Clock;
}

/** Who may not, or not now: told in numbers, also of routes that change nothing. */
const REFUSED: ReadonlySet<number> = new Set([401, 403, 429]);

/**
 * One entry for each request that changes something, or was meant to. Of what it carried only ids are told, so a reason is
 * given for refusals alone: that of another problem may cite the body. It is written
 * when the outcome is known, not when the answer was taken: who hangs up before that has changed something all the same.
 */
export function registerAudit(app: FastifyInstance, { log, refusals, clock }: AuditHookDeps): void {
  app.decorateRequest('isAudited', false);
  app.addHook('onSend', (request, reply, _payload, done) => {
    if (request.isAudited) {
      return done(); // an answer that could not be made, and now the one that says so
    }
    request.isAudited = true;
    if (REFUSED.has(reply.statusCode)) {
      refusals.record(toEntry(request, reply, clock.wallMs()));
    } else if (routeOf(request).config.audit !== undefined) {
      log.record(toEntry(request, reply, clock.wallMs()));
    }
    done();
  });
}

function toEntry(request: FastifyRequest, reply: FastifyReply, atMs: number): AuditEntry {
  const { statusCode: status } = reply;
  const entry: AuditEntry = {
    atMs,
    action: routeOf(request).config.audit ?? 'access.check',
    who: request.caller?.name,
    from: request.socket.remoteAddress ?? 'unknown',
    targets: request.auditTargets ?? [],
    outcome: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed',
    status,
  };
  if (REFUSED.has(status) && request.auditDetail !== undefined) {
    entry.detail = request.auditDetail;
  }
  return entry;
}
