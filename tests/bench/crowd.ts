// What a crowd does to others: heaps of jobs in Redis (P12) and another company's burst (P14, L7). Parts of workers.ts,
// which starts the worker that they look at.
import { setTimeout as pause } from 'node:timers/promises';
import { Queue } from 'bullmq';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { openDesk } from '../../src/desks/desks.ts';
import { newId } from '../../src/id.ts';
import { openLog } from '../../src/log.ts';
import { listen, signal } from '../../src/signals.ts';
import { open } from '../../src/tickets/change.ts';
import type { StoredTicket } from '../../src/tickets/ticket.ts';
import { JOB_OPTIONS } from '../../src/workers/queues.ts';
import { openRedis } from '../../src/workers/redis.ts';
import { plant } from './sla.ts';

const log = openLog('silent');
const TIMERS = 300;

/** So many jobs that wait and so many that are due tomorrow, in a queue at which nobody works. */
export async function heap(url: string, prefix: string, count: number): Promise<() => Promise<void>> {
  const redis = openRedis(url, log);
  const queue = new Queue('deliver-none', { connection: redis, prefix, defaultJobOptions: JOB_OPTIONS });
  for (const delay of [0, 86_400_000])
    for (let done = 0; done < count; done += 1_000)
      await queue.addBulk(
        Array.from({ length: 1_000 }, () => ({ name: 'deliver', data: { id: newId() }, opts: { delay } })),
      );
  return async () => {
    await queue.obliterate({ force: true });
    await queue.close();
    redis.disconnect();
  };
}

/** Deadlines spread over four seconds: ms from the instant of each until everybody hears that it is in the history. */
export async function timers(): Promise<number[]> {
  const told = new Map<string, number>();
  const unlisten = listen('change', ({ ticket }) => {
    if (ticket && !told.has(ticket)) told.set(ticket, Date.now());
  });
  await plant(TIMERS, (index) => 2_000 + index * 10, 'T');
  const planted = await mongoose.connection
    .collection<StoredTicket>('tickets')
    .find({ key: /^T-/ }, { projection: { nextDeadlineAt: 1 } })
    .toArray();
  for (const end = Date.now() + 30_000; Date.now() < end; await pause(50))
    if (planted.every(({ _id }) => told.has(_id))) break;
  unlisten();
  const late = planted.map(
    ({ _id, nextDeadlineAt }) => (told.get(_id) ?? Number.NaN) - Number(nextDeadlineAt),
  );
  await mongoose.connection.collection('tickets').deleteMany({ key: /^T-/ });
  return late;
}

/** What Redis holds, in bytes. */
export async function redisBytes(url: string): Promise<number> {
  const redis = openRedis(url, log);
  const said = await redis.info('memory');
  redis.disconnect();
  return Number(/^used_memory:(\d+)/m.exec(said)?.[1]);
}

/** All at once: so many tickets of another company, each with a word for one of fifty places, as their writes left them. */
export async function burst(events: number): Promise<void> {
  const ctx = systemCtx({ log }, newId());
  const desk = await openDesk(ctx, {
    key: `N${newId().slice(-6)}`.toUpperCase(),
    name: 'Noise',
    preset: 'support',
  });
  let born: StoredTicket | undefined;
  const unlisten = listen('entry', (heard) => {
    born ??= heard.born;
  });
  const place = (n: number) => ({
    ...{ id: `peer:noise-${n}`, surface: 'peer' },
    audience: 'public' as const,
    at: { place: `noise-${n}` },
  });
  await open(
    ctx,
    desk,
    {
      title: 'Noise',
      requester: { kind: 'contact', id: newId(), name: 'Loud', email: null },
      conversations: [place(0)],
    },
    [{ action: 'comment_added', set: {}, comment: { id: newId(), audience: 'public', text: 'noise' } }],
  );
  unlisten();
  if (!born) throw new Error('no model');
  const model = born;
  const copy = (n: number): StoredTicket => {
    const id = newId();
    const conversations = [place(n % 50)];
    return {
      ...{ ...model, _id: id, number: n + 2, key: `${model.deskKey}-${n + 2}`, conversations },
      pending: model.pending.map((entry) => ({
        ...{ ...entry, _id: `${id}-${entry.seq}`, ticket: id },
        fields: entry.fields.conversations
          ? { ...entry.fields, conversations: [null, conversations] }
          : entry.fields,
        ...(entry.comment ? { comment: { ...entry.comment, id: newId() } } : {}),
      })),
    };
  };
  for (let done = 0; done < events; done += 500) {
    const copies = Array.from({ length: Math.min(500, events - done) }, (_, at) => copy(done + at));
    await mongoose.connection.collection<StoredTicket>('tickets').insertMany(copies, { ordered: false });
  }
  signal('entry', { company: ctx.actor.company });
}
