// The relay: entries that still travel with their tickets are filed into the history, their people are worked out, and
// only then are they struck off the ticket. Dying anywhere in between repeats steps that do nothing the second time.
// Two relays at once cost nothing but the work.
import { file } from '../history/history.ts';
import type { Logger } from '../log.ts';
import { listen } from '../signals.ts';
import { strike, unfiled } from '../tickets/change.ts';
import { finishPending } from '../tickets/followups.ts';

const BATCH = 200;
const LOOK_EVERY_MS = 2_000;

/** One round. Returns how many tickets it settled. */
export async function relayOnce(log: Logger): Promise<number> {
  const tickets = await unfiled(BATCH);
  if (!tickets.length) return 0;
  const entries = tickets.flatMap((ticket) => ticket.pending);
  await file(entries);
  await finishPending(log, entries);
  await strike(tickets);
  return tickets.length;
}

export interface Relay {
  /** Resolves when nothing is left to relay. */
  drain: () => Promise<void>;
  stop: () => Promise<void>;
}

export function startRelay(log: Logger): Relay {
  let stopped = false;
  let again = false;
  let running: Promise<void> | null = null;

  const run = async () => {
    do {
      again = false;
      try {
        while (!stopped && (await relayOnce(log)) === BATCH);
      } catch (error) {
        log.warn({ reason: (error as Error).message }, 'the relay could not work just now');
      }
    } while (again && !stopped);
    running = null;
  };
  const wake = () => {
    if (stopped) return;
    if (running) again = true;
    else running = run();
  };
  const unlisten = listen('entry', () => setImmediate(wake));
  const timer = setInterval(wake, LOOK_EVERY_MS);
  wake();
  return {
    drain: async () => {
      while ((await relayOnce(log)) > 0 || running) await running;
    },
    stop: async () => {
      stopped = true;
      unlisten();
      clearInterval(timer);
      await running;
    },
  };
}
