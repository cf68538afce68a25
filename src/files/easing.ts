// What streams through leaves its chunks behind as garbage outside of the heap, and the collector looks for that only
// after some thirty megabytes. A block that nobody touches, and that hence takes no memory, makes it look sooner, so
// that a process stays small whatever passes.
import { type Readable, Transform } from 'node:stream';

const EVERY = 4 * 1024 * 1024;
const BLOCK = 64 * 1024 * 1024;

/** To be told of all that passes. */
export function easing(): (bytes: number) => void {
  let passed = 0;
  return (bytes) => {
    passed += bytes;
    if (passed < EVERY) return;
    passed = 0;
    new ArrayBuffer(BLOCK);
  };
}

/** The same bytes. */
export function eased(bytes: Readable): Readable {
  const ease = easing();
  const through = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      ease(chunk.length);
      done(null, chunk);
    },
    destroy(error, done) {
      bytes.destroy();
      done(error);
    },
  });
  bytes.once('error', (error) => through.destroy(error));
  return bytes.pipe(through);
}
