// A process that has started rests with what it needs: the garbage of starting (some thirty megabytes of parsed sources
// and young objects) goes back to the system. V8 would keep it until there is much to do.
import { Session } from 'node:inspector';

const SETTLED_MS = 2_000;

export function restOnceStarted(): void {
  setTimeout(() => {
    const session = new Session();
    session.connect();
    session.post('HeapProfiler.collectGarbage', () => session.disconnect());
  }, SETTLED_MS).unref();
}
