// The only place that knows HTTP statuses of refusals. Bodies are RFC 9457; a bug shows a reference and nothing else.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ErrorRequestHandler, Request, Response } from 'express';
import { ZodError } from 'zod';
import { complaints } from '../../src/complaints.ts';
import { type Detail, Refusal, type RefusalKind } from '../../src/errors.ts';
import { isAway } from '../../src/store.ts';
import { nameOnWire } from './wire.ts';

const STATUS: Record<RefusalKind, [number, string]> = {
  invalid: [400, 'Bad request'],
  unauthorised: [401, 'Not signed in'],
  forbidden: [403, 'Not yours to do'],
  unknown: [404, 'Not found'],
  conflict: [409, 'Conflict'],
  stale: [412, 'Somebody was quicker'],
  large: [413, 'Too large'],
  media: [415, 'Unsupported kind of content'],
  range: [416, 'No such part'],
  refused: [422, 'Refused'],
  busy: [429, 'Too many requests'],
  away: [503, 'Temporarily unavailable'],
};

export const titleOf = (status: number): string =>
  Object.values(STATUS).find(([one]) => one === status)?.[1] ?? 'Internal error';

export const errorCode = (reason: string): string =>
  `E_${reason.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')}`;

/** What the caller calls the request, if that is fit to be repeated. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  error_code: string;
  details: Detail[];
  request_id: string;
}

export function problemOf(refusal: Refusal, requestId: string): Problem {
  const [status, title] = STATUS[refusal.kind];
  return {
    type: 'about:blank',
    title,
    status,
    detail: refusal.message,
    error_code: errorCode(refusal.reason),
    details: refusal.details,
    request_id: requestId,
  };
}

export function sendProblem(res: Response, refusal: Refusal, status?: number): void {
  const problem = problemOf(refusal, String(res.locals.requestId ?? ''));
  if (status) problem.status = status;
  if (refusal.retryAfter !== undefined)
    res.set('Retry-After', String(Math.max(1, Math.ceil(refusal.retryAfter))));
  if (problem.status === 401) res.set('WWW-Authenticate', 'Bearer');
  res.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/** What the body parser and Express throw, said in our words. */
function asRefusal(error: unknown, req: Request): Refusal | null {
  if (error instanceof Refusal) return error;
  if (error instanceof ZodError) return fromZod(error);
  if (isAway(error))
    return new Refusal(
      'away',
      'store.away',
      'The database does not answer just now. Try again in a moment.',
      { retryAfter: 2 },
    );
  const { status, type, message } = error as { status?: number; type?: string; message?: string };
  if (type === 'entity.too.large')
    return new Refusal('large', 'request.too_large', 'The request body is larger than we take.');
  if (type === 'encoding.unsupported' || type === 'charset.unsupported')
    return new Refusal('media', 'request.encoding', 'That encoding is not supported: send UTF-8 JSON.');
  if (type === 'entity.parse.failed')
    return new Refusal(
      'invalid',
      'request.json',
      `The body is not valid JSON: ${String(message).slice(0, 120)}`,
    );
  if (status !== undefined && status >= 400 && status < 500)
    return new Refusal('invalid', 'request.malformed', `The request is malformed (${req.method}).`);
  return null;
}

export function fromZod(error: ZodError): Refusal {
  const details = complaints(error.issues)
    .slice(0, 50)
    .map(({ path, message }): Detail => ({ path: path.map(nameOnWire).join('.'), message }));
  const first = details[0];
  const sentence = first ? `${first.path || 'The request'}: ${first.message}` : 'The request is not valid.';
  return new Refusal('invalid', 'validation', sentence, { details });
}

export const problems: ErrorRequestHandler = (error: unknown, req, res, _next) => {
  const refusal = asRefusal(error, req);
  if (res.headersSent) {
    req.socket.destroy();
    return;
  }
  if (refusal) {
    sendProblem(res, refusal);
    return;
  }
  res.locals.log().error({ err: error, method: req.method, path: req.path }, 'a request failed');
  const requestId = String(res.locals.requestId ?? '');
  const problem: Problem = {
    type: 'about:blank',
    title: 'Internal error',
    status: 500,
    detail: `Something went wrong on our side. Quote the reference ${requestId} when you tell us.`,
    error_code: 'E_INTERNAL',
    details: [],
    request_id: requestId,
  };
  res.status(500).type('application/problem+json').send(JSON.stringify(problem));
};
