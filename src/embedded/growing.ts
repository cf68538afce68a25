// A buffer that grows as it is written to, and is written over from its beginning for the next thing. What is handed out
// is always a copy.

export class Growing {
  readonly #start: number;
  bytes: Buffer;
  end = 0;

  constructor(size: number) {
    this.#start = size;
    this.bytes = Buffer.allocUnsafe(size);
  }

  /** Makes room for so many more bytes. */
  reserve(more: number): void {
    if (this.end + more <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.end + more));
    this.bytes.copy(larger, 0, 0, this.end);
    this.bytes = larger;
  }

  add(bytes: ArrayLike<number>): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.end);
    this.end += bytes.length;
  }

  /** What was written since the last time. */
  take(): Buffer {
    const written = Buffer.from(this.bytes.subarray(0, this.end));
    this.end = 0;
    if (this.bytes.length > 1 << 22) this.bytes = Buffer.allocUnsafe(this.#start);
    return written;
  }
}
