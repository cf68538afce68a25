// A route is data: where, who may, what comes in, what goes out, which verb. The server, the OpenAPI document and the
// tests read the same table. Parse, who, once, verb, draw: in that order, for every route.
import type { Request, RequestHandler, Response } from 'express';
import type { z } from 'zod';
import type { Actor, Ctx } from '../../src/context.ts';
import { forbidden, invalid, Refusal } from '../../src/errors.ts';
import { discard, type Kept, keep } from '../../src/files/attachments.ts';
import type { Logger } from '../../src/log.ts';
import { once } from '../../src/once.ts';
import { DEEDS, type Deed, may } from '../../src/people/access.ts';
import { seal, signFor, unseal } from '../../src/secrets.ts';
import { othersKnow } from '../../src/signals.ts';
import type { Seen } from '../../src/tickets/change.ts';
import { type FieldKinds, formBody, isForm, readForm } from './forms.ts';
import { readBy } from './reading.ts';
import { fromWire, toWire } from './wire.ts';

export interface Call<Params, Query, Body> {
  ctx: Ctx;
  params: Params;
  query: Query;
  body: Body;
  /** Files that came with the form. */
  kept: Kept[];
  /** If-Match, as the versions that it names. */
  seen: Seen | undefined;
  req: Request;
  res: Response;
}

export interface Route {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** As OpenAPI writes it: `/api/v1/tickets/{id}`. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  /** What the caller must be allowed to do; 'anyone' needs no account. */
  deed: Deed | 'anyone';
  params?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
  /** The body's media type where it is not JSON: the run reads the request itself, unless it is a form. */
  consumes?: string;
  /** The body may also (with `consumes`: must) come as a form with files: their field, and how the others are read. */
  form?: { files: string } & FieldKinds;
  /** What is answered; absent: nothing (204), or what `produces` says. */
  answer?: z.ZodType;
  produces?: string;
  status?: number;
  /** The answer holds a secret: what is kept for a repeated request is sealed. */
  secret?: boolean;
  /** Not repeatable by key (signing in). */
  noKey?: boolean;
  /** Programs do it in heaps: when there is a crowd, what people do goes first. */
  bulk?: boolean;
  /** Which refusals it may answer besides the ordinary ones, for the document. */
  refuses?: number[];
  run: (call: Call<never, never, never>) => Promise<unknown>;
}

type Out<S> = S extends z.ZodType ? z.output<S> : undefined;

/** Only gives the parts their types. */
export function route<
  P extends z.ZodType | undefined,
  Q extends z.ZodType | undefined,
  B extends z.ZodType | undefined,
>(
  given: Omit<Route, 'run' | 'params' | 'query' | 'body'> & {
    params?: P;
    query?: Q;
    body?: B;
    run: (call: Call<Out<P>, Out<Q>, Out<B>>) => Promise<unknown>;
  },
): Route {
  return given as unknown as Route;
}

export interface Edge {
  log: Logger;
  now: () => Date;
  identify: (req: Request) => Promise<Actor>;
}

const NOBODY: Actor = {
  kind: 'contact',
  id: 'nobody',
  name: 'Nobody',
  company: '',
  role: 'customer',
  teams: [],
};

export function serve(one: Route, edge: Edge): RequestHandler {
  const status = one.status ?? (one.answer || one.produces ? 200 : 204);
  return async (req, res) => {
    const actor = one.deed === 'anyone' ? NOBODY : await edge.identify(req);
    const requestId = String(res.locals.requestId);
    const ctx: Ctx = {
      actor,
      via: 'api',
      now: edge.now,
      // Its own, with the request's id, once something is to be logged.
      get log() {
        return res.locals.log();
      },
      request: requestId,
    };
    if (one.deed !== 'anyone' && !may(actor, one.deed))
      throw forbidden('access', `You may not ${DEEDS[one.deed].says.split(';')[0]}.`);
    const params = one.params ? readBy(one.params, fromWire({ ...req.params })) : undefined;
    const query = one.query ? readBy(one.query, fromWire({ ...req.query })) : noQuery(req);
    if (one.form && one.consumes && !isForm(req))
      throw new Refusal('media', 'request.media_type', `Send the body as ${one.consumes}.`);
    const kept = one.form && isForm(req) ? await readBody(one.form, ctx, req) : [];
    try {
      const body = one.body ? readBy(one.body, fromWire(req.body ?? {})) : undefined;
      const call = { ctx, params, query, body, kept, seen: readIfMatch(req), req, res } as unknown as Call<
        never,
        never,
        never
      >;
      const key = req.get('idempotency-key');
      if (key !== undefined && one.method === 'post' && one.deed !== 'anyone' && !one.noKey)
        return await serveOnce(one, call, key, status);
      const answer = await one.run(call);
      if (one.method !== 'get') await othersKnow();
      if (!res.headersSent && !res.writableEnded && !one.produces)
        send(res, status, answer === undefined ? undefined : toWire(answer));
    } catch (error) {
      await discard(kept);
      throw error;
    }
  };
}

/** The fields become the body, as if it had come as JSON; the files are kept until the verb attaches them. */
async function readBody(form: NonNullable<Route['form']>, ctx: Ctx, req: Request): Promise<Kept[]> {
  const arrived: Kept[] = [];
  const kept = () => arrived.filter(Boolean);
  try {
    let next = 0;
    const fields = await readForm(req, async ({ field, name, bytes }) => {
      if (field !== form.files)
        throw invalid('request.form', `${field}: is not a known field`, [
          { path: field, message: 'is not a known field' },
        ]);
      const place = next++;
      arrived[place] = await keep(ctx, '', { name, bytes, place });
    });
    req.body = formBody(fields, form);
    return kept();
  } catch (error) {
    await discard(kept());
    throw error;
  }
}

function noQuery(req: Request): undefined {
  const [name] = req.url.includes('?') ? Object.keys(req.query) : [];
  if (name !== undefined)
    throw invalid('validation', `${name.slice(0, 60)}: is not a known parameter`, [
      { path: name.slice(0, 60), message: 'is not a known parameter' },
    ]);
  return undefined;
}

async function serveOnce(
  one: Route,
  call: Call<never, never, never>,
  key: string,
  status: number,
): Promise<void> {
  const { ctx, req, res } = call;
  if (key.length < 1 || key.length > 255 || !/^[\x21-\x7e]+$/.test(key))
    throw invalid('idempotency.key', 'An Idempotency-Key has 1 to 255 visible ASCII characters.');
  // Keyed: a body may hold a password, and a plain hash of it could be guessed from a copy of the store.
  const print = signFor(
    'request',
    JSON.stringify([one.method, req.originalUrl, req.body ?? null, ...call.kept.map((file) => file.sha256)]),
  );
  const { answer, replayed } = await once(
    ctx,
    `http:${ctx.actor.id}:${key}`,
    async (inner) => {
      const value = await one.run({ ...call, ctx: inner } as Call<never, never, never>);
      const body = value === undefined ? null : toWire(value);
      return {
        etag: res.get('etag') ?? null,
        body: body !== null && one.secret ? seal('receipt', body) : body,
      };
    },
    print,
  );
  if (replayed) {
    res.set('Idempotency-Replayed', 'true');
    await discard(call.kept);
  }
  await othersKnow();
  if (answer.etag) res.set('ETag', answer.etag);
  send(
    res,
    status,
    answer.body === null ? undefined : one.secret ? unseal('receipt', answer.body) : answer.body,
  );
}

function send(res: Response, status: number, body: string | undefined): void {
  res.status(status);
  if (body === undefined) {
    res.end();
    return;
  }
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.end(body);
}

/** What is no version of ours matches none. */
function readIfMatch(req: Request): Seen | undefined {
  const given = req.get('if-match');
  if (given === undefined || given.trim() === '*') return undefined;
  return given.split(',').map((tag) => Number(/^(?:W\/)?"(\d{1,12})"$/.exec(tag.trim())?.[1] ?? -1));
}

export const setEtag = (res: Response, seq: number): void => void res.setHeader('ETag', `"${seq}"`);
