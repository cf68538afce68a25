// Wake-ups between processes, by Redis pub/sub. Best effort: whoever listens also looks by itself now and then.
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Logger } from '../log.ts';
import { carry, listen, type Signals, signal } from '../signals.ts';

const CARRIED = ['entry', 'change', 'stale', 'inbound'] as const satisfies (keyof Signals)[];
/** What a process with a relay sees to itself. */
const KEPT: readonly (keyof Signals)[] = ['entry'];
/** The first word goes at once; what follows it closely goes together. */
const GATHER_MS = 10;

type Word = [name: keyof Signals, facts: Signals[keyof Signals]];
interface Letter {
  from: string;
  words: Word[];
}

/** `publisher` must not queue while it is offline; `subscriber` is used for nothing else. */
export function carrySignals(
  publisher: Redis,
  subscriber: Redis,
  prefix: string,
  log: Logger,
  { relays = false }: { relays?: boolean } = {},
): () => Promise<void> {
  const me = randomUUID();
  const channel = `${prefix}:signals`;
  /** By what they say, so that the same is said once. */
  let words = new Map<string, Word>();
  let gathering: NodeJS.Timeout | undefined;
  const publish = (words: Word[]): Promise<unknown> =>
    publisher.status === 'ready'
      ? publisher
          .publish(channel, JSON.stringify({ from: me, words } satisfies Letter))
          .catch(() => undefined)
      : Promise.resolve();
  const post = () => {
    gathering = undefined;
    if (!words.size) return;
    const gathered = [...words.values()];
    words = new Map();
    gathering = setTimeout(post, GATHER_MS);
    void publish(gathered);
  };
  const stops = CARRIED.filter((name) => !(relays && KEPT.includes(name))).map((name) =>
    listen(name, (facts, origin) => {
      if (origin !== 'here') return;
      if (name === 'stale') return carry(publish([[name, facts]]));
      const said = 'born' in facts && facts.born ? { company: facts.company, ticket: facts.born._id } : facts;
      words.set(`${name} ${Object.values(said).join(' ')}`, [name, said]);
      gathering ??= setTimeout(post, 0);
    }),
  );
  subscriber.on('message', (_, text) => {
    try {
      const { from, words: heard } = JSON.parse(text) as Letter;
      if (from === me) return;
      for (const [name, facts] of heard) if (CARRIED.includes(name)) signal(name, facts, 'elsewhere');
    } catch (error) {
      log.debug({ reason: (error as Error).message }, 'a signal that is none');
    }
  });
  subscriber.subscribe(channel).catch(() => undefined);
  return async () => {
    for (const stop of stops) stop();
    clearTimeout(gathering);
    post();
    clearTimeout(gathering);
    subscriber.disconnect();
  };
}
