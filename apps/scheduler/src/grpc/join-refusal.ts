import type { AuditEntry } from '../audit/audit-entry.js';
import type { Refusal } from './worker-certificate.js';

/** As the audit log tells it. */
export function toJoinRefusal({ peer, reason, worker }: Refusal, atMs: number): AuditEntry {
  return {
    atMs,
    action: 'worker.join',
    who: undefined,
    from: peer.replace(/:\d+$/, ''),
    // As whom it spoke: nothing that anybody has shown.
    targets: worker === undefined ? [] : [worker],
    outcome: 'refused',
    // Who came so far as to say who it is may join, but not as that.
    status: worker === undefined ? 'UNAUTHENTICATED' : 'PERMISSION_DENIED',
    detail: reason,
  };
}
