// A body that is read while it comes, line by line: NDJSON or CSV. What must stay true: however long a line or the whole
// is, no more than a line of it is held, and what is wrong with one line is no matter of the others.
import type { Readable } from 'node:stream';
import type { Request } from 'express';
import { Refusal } from '../../src/errors.ts';
import { checkText } from './bodies.ts';
import { csvLines, type Line, LONGEST_LINE } from './csv.ts';
import { fromWire } from './wire.ts';

export async function* lines(req: Request): AsyncGenerator<Line> {
  if (req.is('text/csv')) return yield* csvLines(req);
  let at = 0;
  for await (const line of bytesOfLines(req)) {
    at++;
    if (!line || line.some((byte) => byte > 0x20))
      yield { at, bytes: line?.length ?? 0, read: () => fromWire(readJson(line)) };
  }
}

/** Line by line, and of a line that is too long no more than that it was there. */
async function* bytesOfLines(req: Readable): AsyncGenerator<Buffer | null> {
  let parts: Buffer[] = [];
  let size = 0;
  const add = (part: Buffer) => {
    size += part.length;
    if (size <= LONGEST_LINE) parts.push(part);
    else parts = [];
  };
  const take = (): Buffer | null => {
    const line = size <= LONGEST_LINE ? Buffer.concat(parts) : null;
    [parts, size] = [[], 0];
    return line;
  };
  // Who stops reading half-way still has something to say: the connection stays.
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      add(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    add(chunk.subarray(from));
  }
  if (size) yield take();
}

function readJson(line: Buffer | null): unknown {
  if (!line) throw new Refusal('large', 'import.line_too_long', 'This line is too long.');
  checkText(line);
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    throw new Refusal('invalid', 'import.json', 'This line is not valid JSON.');
  }
}
