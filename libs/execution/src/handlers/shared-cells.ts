/** More attempts than this are never with a thread at once; what comes beyond waits outside. */
export const CELLS = 2_048;

const FREE = 0;
const QUEUED = 1;
const STARTED = 2;
const RECALLED = 3;

const LEASE_BYTES = Float64Array.BYTES_PER_ELEMENT;

/**
 * What the main thread and the handlers' thread must agree upon at once, also while the one of them is busy: whether an
 * attempt has started (then it is waited for) or was taken back (then it never starts), and until when the lease holds.
 * One cell of shared memory for each attempt, changed by compare-and-exchange: exactly one of the two sides wins.
 */
export class SharedCells {
  readonly buffer: SharedArrayBuffer;
  private readonly lease: Float64Array;
  private readonly cells: Int32Array;
  /** Of the main thread's only. */
  private readonly free: number[] = [];
  private used = 0;

  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(LEASE_BYTES + CELLS * Int32Array.BYTES_PER_ELEMENT);
    this.lease = new Float64Array(this.buffer, 0, 1);
    this.cells = new Int32Array(this.buffer, LEASE_BYTES, CELLS);
    if (buffer === undefined) {
      this.lease[0] = Infinity;
    }
  }

  /** By the uptime clock. Until it is said for the first time there is no lease to keep to. */
  get leaseUntilMs(): number {
    return this.lease[0] ?? 0;
  }

  set leaseUntilMs(uptimeMs: number) {
    this.lease[0] = uptimeMs;
  }

  /** Main thread: a cell for an attempt that is handed over now; undefined: none is free. */
  take(): number | undefined {
    const cell = this.free.pop() ?? (this.used < CELLS ? this.used++ : undefined);
    if (cell !== undefined) {
      Atomics.store(this.cells, cell, QUEUED);
    }
    return cell;
  }

  /** Main thread: the other one will not look at it again. */
  release(cell: number): void {
    Atomics.store(this.cells, cell, FREE);
    this.free.push(cell);
  }

  /** Main thread: true: it has not started, and never will. */
  recall(cell: number): boolean {
    return Atomics.compareExchange(this.cells, cell, QUEUED, RECALLED) === QUEUED;
  }

  /** Main thread. */
  hasStarted(cell: number): boolean {
    return Atomics.load(this.cells, cell) === STARTED;
  }

  /** Handlers' thread: false: it was taken back and must not start. */
  start(cell: number): boolean {
    return Atomics.compareExchange(this.cells, cell, QUEUED, STARTED) === QUEUED;
  }
}
