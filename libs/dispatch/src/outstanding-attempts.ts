/**
 * What a worker was given on this stream, or said in its Hello that it holds, and has not reported. Age is counted in its
 * heartbeats.
 */
export class OutstandingAttempts {
  /** Attempt id -> the heartbeat after which it came. In order of coming. */
  private readonly since = new Map<string, number>();
  private beats = 0;

  get size(): number {
    return this.since.size;
  }

  /** A Welcome: it holds these and nothing else. */
  restart(attemptIds: Iterable<string>): void {
    this.since.clear();
    this.beats = 0;
    this.add(attemptIds);
  }

  add(attemptIds: Iterable<string>): void {
    for (const attemptId of attemptIds) {
      this.since.set(attemptId, this.beats);
    }
  }

  /** False: it was not outstanding. */
  report(attemptId: string): boolean {
    return this.since.delete(attemptId);
  }

  beat(): void {
    this.beats += 1;
  }

  /** How many have been outstanding for at least so many heartbeats. */
  olderThan(beats: number): number {
    let count = 0;
    for (const since of this.since.values()) {
      if (this.beats - since < beats) {
        break;
      }
      count += 1;
    }
    return count;
  }
}
