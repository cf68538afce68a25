// The queues to look into, for administrators only: Bull Board. A browser signs in by name and password (Basic), and
// then keeps a cookie that is good for this path alone; programs send a token as everywhere.
import type { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import type { Request, RequestHandler, Response } from 'express';
import { type Actor, systemCtx } from '../../src/context.ts';
import { Refusal } from '../../src/errors.ts';
import { may } from '../../src/people/access.ts';
import { recognise, signIn } from '../../src/people/sessions.ts';
import { sendProblem } from './problem.ts';

export const BOARD = '/admin/queues';
export type BoardQueue = ConstructorParameters<typeof BullMQAdapter>[0];

const COOKIE = 'switchboard_queues';
const MINUTES = 15;
/** The board's page asks a stranger for its letters: it goes without them, so that it also works without the internet. */
const BOARD_POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; frame-ancestors 'none'";

type Identify = (req: Request) => Promise<Actor>;

export function queueBoard(queues: () => readonly BoardQueue[], identify: Identify): RequestHandler {
  let board: Promise<RequestHandler> | undefined;
  // Loaded when somebody looks: most processes are never asked.
  const build = async (): Promise<RequestHandler> => {
    const [{ createBullBoard }, { BullMQAdapter }, { ExpressAdapter }] = await Promise.all([
      import('@bull-board/api'),
      import('@bull-board/api/bullMQAdapter'),
      import('@bull-board/express'),
    ]);
    const server = new ExpressAdapter();
    server.setBasePath(BOARD);
    createBullBoard({ queues: queues().map((queue) => new BullMQAdapter(queue)), serverAdapter: server });
    return server.getRouter() as RequestHandler;
  };
  return (req, res, next) => {
    admitted(req, res, identify).then(
      async () => {
        board ??= build();
        res.set('Content-Security-Policy', BOARD_POLICY);
        (await board)(req, res, next);
      },
      (error) => {
        if (!(error instanceof Refusal)) return next(error);
        if (error.kind !== 'unauthorised') return sendProblem(res, error);
        res.set('WWW-Authenticate', 'Basic realm="Switchboard queues", charset="UTF-8"');
        res.status(401).type('text/plain').send('Sign in as an administrator.');
      },
    );
  };
}

async function admitted(req: Request, res: Response, identify: Identify): Promise<void> {
  const cookie = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w.-]+)`).exec(req.get('cookie') ?? '')?.[1];
  const actor = await (cookie
    ? recognise(cookie).catch(() => byHeader(req, res, identify))
    : byHeader(req, res, identify));
  if (!may(actor, 'queue.watch') || !actor.operator)
    throw new Refusal('forbidden', 'access', 'Only administrators look into the queues.');
}

async function byHeader(req: Request, res: Response, identify: Identify): Promise<Actor> {
  const [scheme, words] = (req.get('authorization') ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'basic' || !words) return identify(req);
  const [name = '', ...rest] = Buffer.from(words, 'base64').toString('utf8').split(':');
  const life = { accessMinutes: MINUTES, refreshDays: 1 };
  const ctx = systemCtx({ log: res.locals.log(), request: String(res.locals.requestId) }, '');
  const { accessToken } = await signIn(ctx, { username: name, password: rest.join(':') }, life, req.ip);
  res.cookie(COOKIE, accessToken, {
    path: BOARD,
    httpOnly: true,
    sameSite: 'strict',
    secure: req.secure,
    maxAge: MINUTES * 60_000,
  });
  return recognise(accessToken);
}
