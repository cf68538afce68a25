// Several relays share the work: of the tickets that more than one of them has found, each takes those that no other
// took a moment ago. It only spares work: without Redis, or with a slow one, each takes all, and nothing happens twice.
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { StoredTicket } from '../tickets/ticket.ts';

/** Which of these are for whoever asks. */
export type Share = (tickets: readonly StoredTicket[]) => Promise<StoredTicket[]>;

/** Who took it and has not seen to it by then is believed dead. */
const TAKEN_MS = 5_000;
const PATIENCE_MS = 300;

export function shareOut(redis: Redis, prefix: string): Share {
  const me = randomUUID();
  return async (tickets) => {
    if (!tickets.length || redis.status !== 'ready') return [...tickets];
    const asking = redis.pipeline();
    for (const { _id, seq } of tickets) asking.set(`${prefix}:relay:${_id}:${seq}`, me, 'PX', TAKEN_MS, 'NX');
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS, null);
    });
    const answers = await Promise.race([asking.exec().catch(() => null), enough]);
    clearTimeout(timer);
    return tickets.filter((_, at) => {
      const [error, said] = answers?.[at] ?? [];
      return error || said !== null;
    });
  };
}
