import type { Access } from '../access/role.js';
import type { Caller } from '../access/caller.js';
import type { AuditAction } from '../audit/audit-entry.js';

/** What each route says of itself, beside its schema. One that says nothing is refused when the server is made. */
declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call it. */
    access?: Access;
    /** What it changes. Each route that is not GET or HEAD has one. */
    audit?: AuditAction;
  }

  interface FastifyRequest {
    /** Set before anything of the body is read. */
    caller: Caller;
    /** Ids for the audit log, filled in by the route. */
    auditTargets: string[];
    /** Why it was refused, for the audit log. */
    auditDetail: string | undefined;
    /** It has its entry in the audit log, or needs none. */
    isAudited: boolean;
    /** Kept by `routeOf`. */
    route: FastifyRequest['routeOptions'] | undefined;
  }
}
