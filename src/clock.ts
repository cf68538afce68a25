// The database's clock, without asking it each time: what is due is due by one clock, whatever the clocks of our
// machines say. Between two askings it is carried on by the processor's own count, which no clock change moves.
import { askStoreTime } from './store.ts';

let base: { store: number; at: number } | null = null;

/** Asks the database. The answer is taken to be half a round trip old. */
export async function tuneClock(): Promise<void> {
  const before = performance.now();
  const store = await askStoreTime();
  const after = performance.now();
  base = { store: store.getTime() + (after - before) / 2, at: after };
}

/** The database's time as far as this process knows; its own until it has asked once. */
export const storeNow = (): Date =>
  base ? new Date(Math.floor(base.store + performance.now() - base.at)) : new Date();

/** How far our machine's clock is ahead of the database's. */
export const skewMs = (): number => (base ? Date.now() - storeNow().getTime() : 0);
