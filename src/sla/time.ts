// The database's time, which decides what is due. Asked now and then, and carried on by a clock that nobody can set;
// always the time of an answer already received, so never ahead of the database.

import { askTime } from './model.ts';

const ASK_EVERY_MS = 5_000;
let anchor: { time: number; at: number } | null = null;

export async function databaseTime(): Promise<Date> {
  if (!anchor || performance.now() - anchor.at > ASK_EVERY_MS) {
    const time = (await askTime()).getTime();
    anchor = { time, at: performance.now() };
  }
  return new Date(Math.floor(anchor.time + performance.now() - anchor.at));
}

/** How far this process's clock is ahead of the database's, in ms. */
export async function clockSkew(): Promise<number> {
  return Date.now() - (await databaseTime()).getTime();
}
