// A process that has started rests with what it needs: the garbage of starting (some thirty megabytes of parsed sources
// and young objects) goes back to the system. V8 would keep it until there is much to do.
import { Session } from 'node:inspector';

const SETTLED_MS = 2_000;

export function restOnceStarted(afterMs = SETTLED_MS): void {
  setTimeout(() => {
    const session = new Session();
    session.connect();
    // NOTE: the answer comes while V8 still holds the lock that disconnecting takes: done at once, it hangs for ever.
    session.post('HeapProfiler.collectGarbage', () => setImmediate(() => session.disconnect()));
  }, afterMs).unref();
}
