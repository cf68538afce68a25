// What is read on every request and seldom changes is kept for a moment. Whoever changes it says so (`stale`), here
// and, through the workers, in the other processes; the lifetime bounds what happens when that word is lost.
import { listen, type Signals, signal } from './signals.ts';

export interface Remembered<Value> {
  (key: string): Promise<Value>;
  /** Changed: drop it here, and tell the others. */
  forget(key: string): void;
}

const MOST = 5_000;

export function remembered<Value>(
  kind: Signals['stale']['kind'],
  read: (key: string) => Promise<Value>,
  lifetimeMs = 2_000,
): Remembered<Value> {
  const kept = new Map<string, { value: Promise<Value>; until: number }>();
  listen('stale', (facts) => {
    if (facts.kind === kind) kept.delete(facts.id);
  });
  const recall = (key: string): Promise<Value> => {
    const known = kept.get(key);
    if (known && known.until > performance.now()) return known.value;
    if (kept.size >= MOST) kept.clear();
    const entry = { value: read(key), until: performance.now() + lifetimeMs };
    kept.set(key, entry);
    entry.value.catch(() => {
      if (kept.get(key) === entry) kept.delete(key);
    });
    return entry.value;
  };
  return Object.assign(recall, { forget: (key: string) => signal('stale', { kind, id: key }) });
}
