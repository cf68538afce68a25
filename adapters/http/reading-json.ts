// The ordinary JSON body, of a known length that is not too much, is read in one go: Express's way is three times as
// dear. Whatever is chunked, compressed or in another charset still goes there, and is answered the same.
import type { Request, RequestHandler } from 'express';

const ORDINARY = /^application\/json(?:; ?charset=utf-8)?$/i;

const isOrdinary = ({ headers }: Request, limit: number): boolean =>
  ORDINARY.test(headers['content-type'] ?? '') &&
  Number(headers['content-length'] ?? Number.POSITIVE_INFINITY) <= limit &&
  headers['transfer-encoding'] === undefined &&
  headers['content-encoding'] === undefined;

/** Who hangs up half-way is not answered: there is no end then, and nobody to hear it. */
export const ordinaryJson =
  (limit: number, check: (bytes: Buffer) => void, otherwise: RequestHandler): RequestHandler =>
  (req, res, next) => {
    if (!isOrdinary(req, limit)) {
      otherwise(req, res, next);
      return;
    }
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      try {
        const bytes = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
        check(bytes);
        req.body = parsed(bytes.toString());
      } catch (error) {
        next(error);
        return;
      }
      next();
    });
    req.on('error', next);
  };

const BYTE_ORDER_MARK = 0xfeff;

function parsed(text: string): unknown {
  if (text === '') return {};
  try {
    return JSON.parse(text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text);
  } catch (error) {
    throw Object.assign(error as Error, { type: 'entity.parse.failed', status: 400 });
  }
}
