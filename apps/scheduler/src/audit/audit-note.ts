/** What the audit log says of itself, as lines of its chain. */
export type AuditNote =
  /** Entries that found no room in memory while nothing could be written. */
  | { note: 'lost'; entries: number }
  /** What follows the last good line is the rest of one that was being written when the program or the disk failed. */
  | { note: 'torn'; bytes: number };
