import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import type { AccessControl, Refusal } from '../access/access-control.js';
import { ANYBODY, NOBODY } from '../access/caller.js';
import { type Access, mayCall } from '../access/role.js';
import { requireOwnHost, requireOwnOrigin } from './origin.js';
import { ProblemError } from './problem.js';
import { RequestLimits } from './request-limits.js';
import { routeOf } from './route-of.js';

export interface GuardRules {
  access: AccessControl;
  /** Names besides localhost and the loopback addresses; looked at where no token is asked for. */
  allowedHosts: readonly string[];
  /** Requests a minute of one caller; 0 = no limit. */
  rateLimit: number;
  /** Wrong tokens a minute from one address; default `FAILURES_PER_MINUTE`. */
  failuresPerMinute?: number;
}

const SAID: Readonly<Record<Refusal, string>> = {
  missing: 'a token is asked for: expected the header Authorization: Bearer and a token',
  malformed: 'expected one header Authorization, of the form Bearer and one token',
  unknown: 'the token is not known here, or no longer',
};

/**
 * Stands before every route, and before what is none: who calls is known, and what is refused is refused, before anything
 * of a body is read. Without tokens whoever reaches it may do everything, but web pages must not reach it.
 */
export async function guardRoutes(app: FastifyInstance, rules: GuardRules): Promise<void> {
  const { access } = rules;
  const limits = await RequestLimits.register(app, rules);
  app.decorateRequest('caller');
  app.decorateRequest('auditTargets');
  app.decorateRequest('auditDetail');
  // Waits only where a limit is counted: a promise would cost every request a microsecond.
  app.addHook('onRequest', (request, reply, done) => {
    request.auditTargets = [];
    request.caller = access.asksForTokens ? NOBODY : ANYBODY;
    if (!access.asksForTokens) {
      requireOwnHost(request, rules);
    }
    requireOwnOrigin(request);
    const wanted = wantedAccess(request);
    if (access.asksForTokens && wanted !== 'open') {
      const caller = hasSeveralTokens(request) ? 'malformed' : access.authenticate(request.headers.authorization);
      if (typeof caller === 'string') {
        refusal(caller, request, reply, limits).then(done, done);
        return;
      }
      request.caller = caller;
    }
    const counted = limits.count(request, reply);
    if (counted === undefined) {
      done(forbidden(request, wanted));
    } else {
      counted.then(() => done(forbidden(request, wanted)), done);
    }
  });
}

function forbidden({ caller: { role } }: FastifyRequest, wanted: Access): ProblemError | undefined {
  return mayCall(role, wanted)
    ? undefined
    : new ProblemError('forbidden', `this takes the role ${wanted}, and the token's is ${role}`);
}

/** Which routes there are is told only to who has a token. */
function wantedAccess(request: FastifyRequest): Access {
  return request.is404 ? 'viewer' : (routeOf(request).config.access ?? 'admin');
}

async function refusal(
  why: Refusal,
  request: FastifyRequest,
  reply: FastifyReply,
  limits: RequestLimits,
): Promise<ProblemError> {
  if (why !== 'missing') {
    await limits.countFailure(request, reply);
  }
  void reply.header('www-authenticate', 'Bearer');
  return new ProblemError('unauthorized', SAID[why]);
}

/** Node answers the first of them; what stands before this server may have looked at the last. */
function hasSeveralTokens({ raw: { rawHeaders } }: FastifyRequest): boolean {
  let found = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    found += rawHeaders[i]?.length === 13 && rawHeaders[i]?.toLowerCase() === 'authorization' ? 1 : 0;
  }
  return found > 1;
}
