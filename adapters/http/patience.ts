// How long a sender may take. Whoever never finishes, be it headers, a body that nobody reads any more or one that is
// read whole, is let go within half a minute; only a body that is streamed may take its time, as long as it keeps coming.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler, Response } from 'express';
import { Refusal } from '../../src/errors.ts';
import { sendProblem } from './problem.ts';

export interface Patience {
  headersMs: number;
  /** A body that is read whole, and one that nobody reads. */
  wholeMs: number;
  /** A streamed body that brings next to nothing in so long is let go. */
  steadyMs: number;
  /** Of any request. An import of a million tickets may take hours over a thin line. */
  longestMs: number;
  checkEveryMs: number;
}

export const PATIENCE: Patience = {
  headersMs: 15_000,
  wholeMs: 20_000,
  steadyMs: 15_000,
  longestMs: 24 * 3_600_000,
  checkEveryMs: 5_000,
};
const STEADY_BYTES = 1_024;

export const hasBody = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

const guards = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/** It watches until the body is there, also when the answer has long been given. */
function guard(req: IncomingMessage, timer: NodeJS.Timeout): void {
  clearTimeout(guards.get(req));
  guards.set(req, timer.unref());
  const done = () => clearTimeout(timer);
  req.once('end', done);
  req.once('close', done);
}

function letGo(req: IncomingMessage, res: ServerResponse): void {
  clearTimeout(guards.get(req));
  if (!res.headersSent) {
    res.setHeader('Connection', 'close');
    const words = 'The body did not come in reasonable time.';
    sendProblem(res as Response, new Refusal('invalid', 'request.slow', words), 408);
  }
  // Whoever still reads the body must hear that it ends here: of a request that is answered, Node tells them nothing.
  if (res.writableEnded && !res.writableFinished) res.once('finish', () => req.destroy());
  else req.destroy();
}

/** The body must be there in time; unless what reads it says that it streams. */
export function beInTime(req: IncomingMessage, res: ServerResponse, ms = PATIENCE.wholeMs): void {
  if (hasBody(req)) guard(req, setTimeout(letGo, ms, req, res));
}

/** A streamed body may take long, but not trickle. That we do not read just now is not the sender's fault. */
export const steadily =
  (ms = PATIENCE.steadyMs): RequestHandler =>
  (req, res, next) => {
    if (hasBody(req)) {
      let before = req.socket.bytesRead;
      const look = () => {
        const now = req.socket.bytesRead;
        const isStarved = req.readableLength === 0 && now - before < STEADY_BYTES;
        if (isStarved || res.writableFinished) letGo(req, res);
        before = now;
      };
      guard(req, setInterval(look, ms));
    }
    next();
  };
