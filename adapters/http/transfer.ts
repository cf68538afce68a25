// Tickets in bulk over HTTP: streamed out and streamed in, with a report line by line.
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { stringify } from 'csv-stringify';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { isAlone, restAfter } from '../../src/breath.ts';
import type { Ctx } from '../../src/context.ts';
import { Refusal } from '../../src/errors.ts';
import { EXPORT_FIELDS, exported, exportInput, rowOf } from '../../src/tickets/exporting.ts';
import { openImport, type Taken } from '../../src/tickets/importing.ts';
import { guarded, type Line } from './csv.ts';
import { lines } from './lines.ts';
import { fromZod, problemOf } from './problem.ts';
import { type Route, route } from './route.ts';

async function sendTickets(ctx: Ctx, query: z.output<typeof exportInput>, res: Response): Promise<void> {
  const isCsv = query.format === 'csv';
  res.set({
    'Content-Type': isCsv ? 'text/csv; charset=utf-8' : 'application/x-ndjson',
    'Content-Disposition': `attachment; filename="tickets.${query.format}"`,
    'Cache-Control': 'no-store',
  });
  const out = isCsv
    ? stringify({
        header: true,
        columns: [...EXPORT_FIELDS],
        cast: { string: guarded, date: (at) => at.toISOString(), boolean: String },
      })
    : null;
  out?.pipe(res);
  const sink = out ?? res;
  for await (const ticket of exported(ctx, query)) {
    if (res.destroyed) return;
    const row = rowOf(ticket);
    const fits = out
      ? out.write({ ...row, tags: Array.isArray(row.tags) ? row.tags.join(', ') : '' })
      : res.write(`${JSON.stringify(row)}\n`);
    if (!fits) await drained(sink, res);
  }
  sink.end();
}

/** Until the reader has taken what was written, or has gone. */
async function drained(sink: Writable, res: Response): Promise<void> {
  const settled = new AbortController();
  const { signal } = settled;
  await Promise.race([once(sink, 'drain', { signal }), once(res, 'close', { signal })]).finally(() =>
    settled.abort(),
  );
}

const TELL_EVERY = 1_000;
/**
 * Lines that are taken together: so many, so long together, or what there is when this time is over. While one batch is
 * written the next ones are read; beside others it is few at a time, for what a store writes at once others wait for.
 */
const ALONE = { lines: 100, abreast: 3 };
const BESIDE_OTHERS = { lines: 20, abreast: 1 };
const BATCH_BYTES = 2_000_000;
const PATIENCE_MS = 250;
const pace = () => (isAlone() ? ALONE : BESIDE_OTHERS);

/** The answer is a report that grows while the file comes in: one line for each that was refused, one now and then. */
async function takeTickets(ctx: Ctx, req: Request, res: Response): Promise<void> {
  const importer = openImport(ctx);
  if (!req.is('text/csv') && !req.is('application/x-ndjson') && !req.is('application/json'))
    throw new Refusal('media', 'import.media_type', 'Send text/csv or application/x-ndjson.');
  res.status(200).set({ 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
  const tally = { imported: 0, alreadyThere: 0, refused: 0 };
  const sums = () => ({
    ...{ imported: tally.imported, already_there: tally.alreadyThere, refused: tally.refused },
  });
  const tell = (facts: Record<string, unknown>) => {
    if (!res.writableEnded && !res.destroyed) res.write(`${JSON.stringify(facts)}\n`);
  };
  const report = (one: Taken) => {
    if (!('error' in one)) tally[one.isNew ? 'imported' : 'alreadyThere']++;
    else {
      const { error } = one;
      const refusal = error instanceof Refusal ? error : error instanceof z.ZodError ? fromZod(error) : null;
      if (!refusal) throw error;
      tally.refused++;
      const { detail, error_code, details } = problemOf(refusal, ctx.request);
      tell({ line: one.at, error_code, detail, details });
    }
    const done = tally.imported + tally.alreadyThere + tally.refused;
    if (done % TELL_EVERY === 0) tell({ progress: done });
  };
  const underWay = new Set<Promise<void>>();
  let tookMs = 0;
  const room = async () => {
    while (underWay.size >= pace().abreast) await Promise.race(underWay);
    await restAfter(tookMs);
  };
  let failure: { error: unknown } | undefined;
  let batch: Line[] = [];
  let bytes = 0;
  const hand = () => {
    const began = performance.now();
    const job = importer
      .take(batch)
      .then((taken) => taken.forEach(report))
      .catch((error) => {
        failure ??= { error };
      })
      .finally(() => {
        tookMs = performance.now() - began;
        underWay.delete(job);
      });
    underWay.add(job);
    [batch, bytes] = [[], 0];
  };
  // Whoever sends slowly is answered all the same.
  const timer = setInterval(() => {
    if (batch.length && underWay.size < pace().abreast) hand();
  }, PATIENCE_MS);
  try {
    for await (const line of lines(req)) {
      batch.push(line);
      bytes += line.bytes;
      if (batch.length < pace().lines && bytes < BATCH_BYTES) continue;
      await room();
      hand();
      if (failure) throw failure.error;
    }
    hand();
    await Promise.all(underWay);
    if (failure) throw failure.error;
    tell({ done: true, ...sums() });
  } catch (error) {
    await Promise.allSettled(underWay);
    if (req.destroyed) ctx.log.info(sums(), 'who sent an import has gone');
    else if (!(error instanceof Refusal)) ctx.log.error({ err: error }, 'an import broke off');
    tell({
      done: false,
      detail:
        error instanceof Refusal
          ? error.message
          : `It broke off; send the same file again. Reference ${ctx.request}.`,
      ...sums(),
    });
  } finally {
    clearInterval(timer);
  }
  res.end();
}

export const transferRoutes: Route[] = [
  route({
    method: 'get',
    path: '/api/v1/tickets/export',
    tag: 'Tickets',
    summary: 'Export tickets as CSV or NDJSON',
    deed: 'ticket.export',
    description:
      'Streams, however many there are. In CSV, what a spreadsheet would take for a formula is quoted.',
    query: exportInput,
    produces: 'application/x-ndjson',
    run: ({ ctx, query, res }) => sendTickets(ctx, query, res),
  }),
  route({
    method: 'post',
    path: '/api/v1/tickets/import',
    tag: 'Tickets',
    summary: 'Import tickets from CSV or NDJSON',
    deed: 'ticket.import',
    noKey: true,
    description:
      'Answers NDJSON while it reads: a line for each that was refused and why, progress, and a last line with the sums. A line with `external_ref` or `key` is taken once, however often it is sent. CSV may be separated by commas, semicolons or tabs.',
    consumes: 'application/x-ndjson',
    produces: 'application/x-ndjson',
    run: ({ ctx, req, res }) => takeTickets(ctx, req, res),
  }),
];
