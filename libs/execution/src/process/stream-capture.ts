const FIRST_RING_BYTES = 4 * 1024;
/** Most attempts write nothing to one of their streams. */
const NOTHING: Buffer<ArrayBuffer> = Buffer.alloc(0);

/**
 * Keeps of one stream the first quarter and the last three quarters of a cap, at their offsets, and counts the rest.
 * Memory is taken as output comes and never beyond the cap.
 */
export class StreamCapture {
  /** Bytes so far: the offset of the next one. */
  total = 0;
  private head = NOTHING;
  private ring = NOTHING;
  private readonly headCap: number;
  private readonly ringCap: number;

  constructor(capBytes: number) {
    this.headCap = Math.floor(capBytes / 4);
    this.ringCap = capBytes - this.headCap;
  }

  append(chunk: Buffer): void {
    const toHead = Math.min(chunk.length, Math.max(0, this.headCap - this.total));
    if (toHead > 0) {
      this.head = grown(this.head, this.total + toHead, this.headCap);
      chunk.copy(this.head, this.total, 0, toHead);
      this.total += toHead;
    }
    let rest = chunk.subarray(toHead);
    if (rest.length > this.ringCap) {
      this.total += rest.length - this.ringCap;
      rest = rest.subarray(rest.length - this.ringCap);
    }
    if (rest.length > 0) {
      this.toRing(rest);
    }
  }

  /** The first offset at or after `offset` that is still held: what lies between is lost. */
  heldFrom(offset: number): number {
    return offset < this.headCap ? offset : Math.max(offset, this.total - this.ringCap, this.headCap);
  }

  /** A copy of up to `limit` held bytes from `offset` on, which must be held. May be shorter than what is there. */
  read(offset: number, limit: number): Buffer {
    if (offset < this.headCap) {
      return Buffer.from(this.head.subarray(offset, Math.min(offset + limit, this.headCap, this.total)));
    }
    const at = (offset - this.headCap) % this.ringCap;
    const length = Math.min(limit, this.total - offset);
    const first = this.ring.subarray(at, Math.min(at + length, this.ring.length));
    return Buffer.concat([first, this.ring.subarray(0, length - first.length)]);
  }

  get truncated(): boolean {
    return this.total > this.headCap + this.ringCap;
  }

  private toRing(data: Buffer): void {
    const position = this.total - this.headCap;
    this.ring = grown(this.ring, Math.min(position + data.length, this.ringCap), this.ringCap);
    const at = position % this.ringCap;
    const first = data.copy(this.ring, at);
    data.copy(this.ring, 0, first);
    this.total += data.length;
  }
}

function grown(buffer: Buffer<ArrayBuffer>, needed: number, cap: number): Buffer<ArrayBuffer> {
  if (needed <= buffer.length) {
    return buffer;
  }
  const size = Math.min(cap, Math.max(needed, buffer.length * 2, FIRST_RING_BYTES));
  const larger = Buffer.alloc(size);
  buffer.copy(larger);
  return larger;
}
