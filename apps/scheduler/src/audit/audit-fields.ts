import { type AuditEntry, MAX_AUDIT_TARGETS } from './audit-entry.js';

const MAX_TEXT = 500;

/** What is written of an entry, each of its texts of a bounded length. */
export function toAuditFields({ action, who, from, targets, outcome, status, detail }: AuditEntry): {
  [name: string]: unknown;
} {
  const fields: Record<string, unknown> = {
    action,
    who: who === undefined ? null : cut(who),
    from: cut(from),
    targets: targets.slice(0, MAX_AUDIT_TARGETS).map(cut),
    outcome,
    status,
  };
  if (detail !== undefined) {
    fields['detail'] = cut(detail);
  }
  return fields;
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
