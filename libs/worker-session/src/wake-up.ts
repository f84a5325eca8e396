/** Lets one waiting loop sleep until there is something to do. A call that comes before the wait is not lost. */
export class WakeUp {
  private pending = false;
  private release: (() => void) | undefined;

  call(): void {
    this.pending = true;
    const { release } = this;
    this.release = undefined;
    release?.();
  }

  /** Resolves at the next call (or the last one, if nobody waited for it), or when the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    if (!this.pending && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.release = (): void => {
          signal.removeEventListener('abort', resolveOnAbort);
          resolve();
        };
        const resolveOnAbort = (): void => resolve();
        signal.addEventListener('abort', resolveOnAbort, { once: true });
      });
    }
    this.pending = false;
  }
}
