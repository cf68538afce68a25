// Long work on the one writer, in slices that others get between. A slice may be run again when its commit fails,
// so it works on a copy of the progress and hands the copy on.
import type { Writer } from './writing.ts';

const SLICE_MS = 10;

/** Runs `step` until it answers true. Each slice is one commit. */
export async function inSlices<P extends object>(
  writer: Writer,
  begin: P,
  step: (progress: P) => boolean,
): Promise<P> {
  let progress = begin;
  for (;;) {
    const { next, done } = await writer.write(() => {
      const next = { ...progress };
      const until = performance.now() + SLICE_MS;
      let done = step(next);
      while (!done && performance.now() < until) done = step(next);
      return { next, done };
    });
    progress = next;
    if (done) return progress;
  }
}
