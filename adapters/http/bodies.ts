// JSON bodies, before anybody reads them: UTF-8, no name twice in one object (who reads the first and who the last would
// disagree) and not nested without end.
import { isUtf8 } from 'node:buffer';
import express, { type RequestHandler } from 'express';
import { invalid, Refusal } from '../../src/errors.ts';
import { hasBody } from './patience.ts';
import { ordinaryJson } from './reading-json.ts';

const DEEPEST = 64;

export const jsonBody = (limit: number): RequestHandler[] => {
  const verify = (_req: unknown, _res: unknown, bytes: Buffer, charset: string) => check(bytes, charset);
  const general = express.json({ limit, strict: false, verify });
  return [
    ordinaryJson(limit, checkText, onlyJson),
    (req, res, next) => (req.body === undefined ? general(req, res, next) : next()),
  ];
};

const onlyJson: RequestHandler = (req, _res, next) => {
  if (hasBody(req) && !req.is('json') && !req.is('+json'))
    throw new Refusal('media', 'request.media_type', 'Send the body as application/json.');
  next();
};

function check(bytes: Buffer, charset: string): void {
  if (charset && charset.toLowerCase() !== 'utf-8')
    throw new Refusal('media', 'request.encoding', 'That encoding is not supported: send UTF-8 JSON.');
  checkText(bytes);
}

export function checkText(bytes: Buffer): void {
  if (!isUtf8(bytes)) throw invalid('request.text', 'This is not valid UTF-8.');
  checkNames(bytes);
}

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** One pass over the bytes. What is not JSON at all is the parser's to refuse. */
function checkNames(bytes: Buffer): void {
  const open: (Set<string> | null)[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      if (open.push(byte === OPEN_OBJECT ? new Set() : null) > DEEPEST)
        throw invalid('request.depth', 'The request is nested too deeply.');
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) open.pop();
    else if (byte === QUOTE) {
      const end = endOfString(bytes, at);
      const names = open.at(-1);
      if (names && isName(bytes, end)) {
        const name = textOf(bytes, at, end);
        if (names.has(name))
          throw invalid('request.name_twice', `"${name.slice(0, 40)}" stands there twice.`, [
            { path: name.slice(0, 100), message: 'stands there twice' },
          ]);
        names.add(name);
      }
      at = end;
    }
  }
}

function endOfString(bytes: Buffer, start: number): number {
  for (let end = bytes.indexOf(QUOTE, start + 1); end >= 0; end = bytes.indexOf(QUOTE, end + 1)) {
    let slashes = 0;
    while (bytes[end - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return bytes.length;
}

function isName(bytes: Buffer, end: number): boolean {
  let at = end + 1;
  while (bytes[at] === 0x20 || (bytes[at] ?? 0xff) - 9 < 5) at++;
  return bytes[at] === COLON;
}

function textOf(bytes: Buffer, start: number, end: number): string {
  const raw = bytes.toString('utf8', start + 1, end);
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(`"${raw}"`);
  } catch {
    return raw;
  }
}
