import type { SchedulerMessage } from '@orchestrator/proto-types';

/** Ids, numbers and framing of one entry, generously. */
const ENTRY_BYTES = 160;

/** About how many bytes an assignment takes in a frame. Nothing is encoded for it: this is for limits only. */
export function assignmentBytes({ specJson }: { specJson: string }): number {
  return ENTRY_BYTES + Buffer.byteLength(specJson);
}

/** About how many bytes a message takes. */
export function messageBytes({ message }: SchedulerMessage): number {
  switch (message?.$case) {
    case 'assign':
      return message.value.attempts.reduce((sum, one) => sum + assignmentBytes(one), message.value.packed.length);
    case 'welcome':
    case 'held':
      return ENTRY_BYTES * (1 + message.value.verdicts.length);
    case 'recorded':
      return ENTRY_BYTES * (1 + message.value.attempts.length) + message.value.packed.length;
    case 'cancel':
    case 'abandon':
      return ENTRY_BYTES * (1 + message.value.attempts.length);
    default:
      return ENTRY_BYTES;
  }
}
