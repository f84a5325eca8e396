import type { Assignment, SchedulerMessage } from '@orchestrator/proto-types';

/** Ids, numbers and framing of one entry, generously. */
const ENTRY_BYTES = 160;

/** About how many bytes an assignment takes in a frame. Nothing is encoded for it: this is for limits only. */
export function assignmentBytes(assignment: Assignment): number {
  return ENTRY_BYTES + Buffer.byteLength(assignment.specJson) + assignment.traceparent.length;
}

/** About how many bytes a message takes. */
export function messageBytes({ message }: SchedulerMessage): number {
  switch (message?.$case) {
    case 'assign':
      return message.value.attempts.reduce((sum, assignment) => sum + assignmentBytes(assignment), 0);
    case 'welcome':
    case 'held':
      return ENTRY_BYTES * (1 + message.value.verdicts.length);
    case 'recorded':
    case 'cancel':
    case 'abandon':
      return ENTRY_BYTES * (1 + message.value.attempts.length);
    default:
      return ENTRY_BYTES;
  }
}
