/** Lets one waiting loop sleep until there is something to do. A call that comes before the wait is not lost. */
export class WakeUp {
  private pending = false;
  private release: (() => void) | undefined;
  private watched: AbortSignal | undefined;

  call(): void {
    this.pending = true;
    const { release } = this;
    this.release = undefined;
    release?.();
  }

  /** Resolves at the next call (or the last one, if nobody waited for it), or when the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    if (!this.pending && !signal.aborted) {
      this.watch(signal);
      await new Promise<void>((resolve) => (this.release = resolve));
    }
    this.pending = false;
  }

  /** Once: loops wait with the same signal, over and over. */
  private watch(signal: AbortSignal): void {
    if (this.watched !== signal) {
      this.watched = signal;
      signal.addEventListener('abort', () => this.call(), { once: true });
    }
  }
}
