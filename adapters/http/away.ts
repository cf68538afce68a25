// How a flood is turned away: at the door, before anything is done for them, with an answer that was made before. It
// must cost next to nothing, or turning away would take the time of those who are let in.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { crowded } from './crowd.ts';
import { beInTime, hasBody } from './patience.ts';
import { problemOf, requestIdOf } from './problem.ts';

const refusal = crowded();
const [HEAD = '', TAIL = ''] = JSON.stringify(problemOf(refusal, '<id>')).split('<id>');
const FIXED = [
  ...['Content-Type', 'application/problem+json; charset=utf-8'],
  ...['Retry-After', String(refusal.retryAfter), 'X-Content-Type-Options', 'nosniff'],
];

/** Whoever sends a body all the same has so long. */
export const awayWith =
  (wholeMs: number) =>
  (req: IncomingMessage, res: ServerResponse): void => {
    const id = requestIdOf(req);
    const body = HEAD + id + TAIL;
    res.writeHead(503, [...FIXED, 'X-Request-Id', id, 'Content-Length', String(body.length)]);
    res.end(body);
    // Mostly it came together with the head, and is gone by then.
    if (hasBody(req)) setImmediate(() => req.complete || beInTime(req, res, wholeMs));
  };
