// Wake-ups inside this process: "there is something new". A signal may be lost at any time (the process dies);
// whoever listens also looks by itself every few seconds. src/workers carries them between processes.
import { EventEmitter } from 'node:events';

/** What is not filed yet. The room whose it is says what else comes along within this process. */
export interface Unfiled {
  company: string;
  ticket?: string;
}

export interface Signals {
  /** A ticket has entries that the relay has not seen. */
  entry: Unfiled;
  /** Something that a person may watch has changed (history entry, notification). */
  change: { company: string; ticket?: string; user?: string; id: string };
  /** What is cached of a person, desk or company is out of date. */
  stale: {
    kind:
      | 'user'
      | 'session'
      | 'key'
      | 'desk'
      | 'company'
      | 'policy'
      | 'rule'
      | 'routing'
      | 'workspace'
      | 'channel';
    id: string;
  };
  /** An inbound message was stored and waits. */
  inbound: { kind: string };
}

const emitter = new EventEmitter();
emitter.setMaxListeners(100);

export function signal<K extends keyof Signals>(
  name: K,
  facts: Signals[K],
  origin: 'here' | 'elsewhere' = 'here',
): void {
  emitter.emit(name, facts, origin);
}

/** Returns the function that stops listening. */
export function listen<K extends keyof Signals>(
  name: K,
  hear: (facts: Signals[K], origin: 'here' | 'elsewhere') => void,
): () => void {
  emitter.on(name, hear);
  return () => void emitter.off(name, hear);
}

const PATIENCE_MS = 200;
const underWay = new Set<Promise<unknown>>();
/** A word on its way to the other processes. */
export function carry(word: Promise<unknown>): void {
  underWay.add(word);
  const done = () => void underWay.delete(word);
  word.then(done, done);
}

/** What was taken away here is known elsewhere before anybody is told that it was: the next request may go there. */
export async function othersKnow(): Promise<void> {
  if (!underWay.size) return;
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
  });
  await Promise.race([Promise.allSettled(underWay), enough]);
  clearTimeout(timer);
}
