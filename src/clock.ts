// The database's clock, without asking it each time: what is due is due by one clock, whatever the clocks of our
// machines say. Between two askings it is carried on by the processor's own count, which no clock change moves.
import { askStoreTime } from './store.ts';

const ASK_EVERY_MS = 5_000;
let base: { store: number; at: number } | null = null;

/** Asks the database. Its answer counts from its arrival, so that we are never ahead of it and nothing is early. */
export async function tuneClock(): Promise<void> {
  const store = await askStoreTime();
  base = { store: store.getTime(), at: performance.now() };
}

/** The database's time, asked a moment ago at the latest: what decides. */
export async function storeTime(): Promise<Date> {
  if (!base || performance.now() - base.at > ASK_EVERY_MS) await tuneClock();
  return storeNow();
}

/** The database's time as far as this process knows; its own until it has asked once. */
export const storeNow = (): Date =>
  base ? new Date(Math.floor(base.store + performance.now() - base.at)) : new Date();

/** How far our machine's clock is ahead of the database's. */
export const skewMs = (): number => (base ? Date.now() - storeNow().getTime() : 0);
