// Wake-ups between processes, by Redis pub/sub. Best effort: whoever listens also looks by itself now and then.
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Logger } from '../log.ts';
import { listen, type Signals, signal } from '../signals.ts';

const CARRIED = ['entry', 'change', 'stale', 'inbound'] as const satisfies (keyof Signals)[];

interface Word {
  from: string;
  name: keyof Signals;
  facts: Signals[keyof Signals];
}

/** `publisher` must not queue while it is offline; `subscriber` is used for nothing else. */
export function carrySignals(
  publisher: Redis,
  subscriber: Redis,
  prefix: string,
  log: Logger,
): () => Promise<void> {
  const me = randomUUID();
  const channel = `${prefix}:signals`;
  const stops = CARRIED.map((name) =>
    listen(name, (facts, origin) => {
      if (origin !== 'here' || publisher.status !== 'ready') return;
      publisher
        .publish(channel, JSON.stringify({ from: me, name, facts } satisfies Word))
        .catch(() => undefined);
    }),
  );
  subscriber.on('message', (_, text) => {
    try {
      const { from, name, facts } = JSON.parse(text) as Word;
      if (from !== me && CARRIED.includes(name)) signal(name, facts, 'elsewhere');
    } catch (error) {
      log.debug({ reason: (error as Error).message }, 'a signal that is none');
    }
  });
  subscriber.subscribe(channel).catch(() => undefined);
  return async () => {
    for (const stop of stops) stop();
    subscriber.disconnect();
  };
}
