// CSV as spreadsheets write it: with comma, semicolon or tab, with a byte order mark or `sep=;` before it, in UTF-8 or
// what the sender says. What must stay true: a cell comes back as it was, and runs nothing where it is opened.
import { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import type { Request } from 'express';
import { invalid } from '../../src/errors.ts';
import type { Given } from '../../src/tickets/importing.ts';
import { formBody } from './forms.ts';
import { fromWire } from './wire.ts';

export const LONGEST_LINE = 1_000_000;
export type Line = Given & { bytes: number };

const KINDS = {
  numbers: ['estimated_hours', 'actual_hours'],
  lists: ['tags'],
  objects: ['custom_fields', 'comments'],
};

const FORMULA = '[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]';
const LIKE_FORMULA = new RegExp(`^'*${FORMULA}`);
const GUARDED = new RegExp(`^'+${FORMULA}`);
/** A mark before what a spreadsheet would take for a formula; and off again, so that all comes back as it was. */
export const guarded = (text: string): string => (LIKE_FORMULA.test(text) ? `'${text}` : text);
const unguarded = (text: string): string => (GUARDED.test(text) ? text.slice(1) : text);

type Row = { record: string[]; info: { empty_lines: number; records: number } };

/** `at` counts rows as a spreadsheet does: the header is the first, and a cell of several lines is in one row. */
export async function* csvLines(req: Request): AsyncGenerator<Line> {
  const text = decoded(req);
  const { head, separator, before } = await beginningOf(text.chunks);
  const parser = parse({
    bom: true,
    delimiter: separator,
    info: true,
    skip_empty_lines: true,
    max_record_size: LONGEST_LINE,
    relax_column_count: true,
  });
  const source = Readable.from(joined(head, text.chunks), { objectMode: false });
  source.once('error', (error) => parser.destroy(error));
  let names: string[] | undefined;
  try {
    for await (const { record, info } of source.pipe(parser) as AsyncIterable<Row>) {
      const bytes = record.reduce((sum, cell) => sum + cell.length, 0);
      const known = names;
      if (!known) names = namesOf(record);
      else if (bytes) {
        const at = before + info.records + info.empty_lines;
        yield { at, bytes, read: () => fromWire(fieldsOf(known, record, separator, text.isDamaged())) };
      }
    }
  } catch (error) {
    if (!(error as { code?: string }).code?.startsWith('CSV_')) throw error;
    throw unreadable((error as Error).message);
  }
}

const unreadable = (why: string) => invalid('import.csv', `The CSV cannot be read: ${why}`);

/** As people head their columns: `External Ref` is `external_ref`. What has no name is no column. */
function namesOf(header: readonly string[]): string[] {
  const names = header.map((name) => name.trim().toLowerCase().replaceAll(/\s+/g, '_'));
  const twice = names.find((name, at) => name && names.indexOf(name) < at);
  if (twice) throw unreadable(`two columns are called "${twice.slice(0, 60)}".`);
  return names;
}

function fieldsOf(
  names: readonly string[],
  cells: readonly string[],
  separator: string,
  isDamaged: boolean,
): Record<string, unknown> {
  const isOdd = cells.length < names.length || cells.slice(names.length).some((cell) => cell !== '');
  if (isOdd)
    throw invalid('import.cells', `This line has ${cells.length} cells, the first one ${names.length}.`);
  if (isDamaged && cells.some((cell) => cell.includes('\ufffd')))
    throw invalid('import.text', 'This is not valid UTF-8: save the file as CSV UTF-8.');
  const filled = names.flatMap((name, at) => {
    const cell = cells[at] ?? '';
    if (!name || cell === '') return [];
    const isNumber = separator === ';' && KINDS.numbers.includes(name);
    return [[name, isNumber ? cell.replace(/^(-?\d+),(\d+)$/, '$1.$2') : unguarded(cell)] as const];
  });
  return formBody(Object.fromEntries(filled), KINDS);
}

/** As UTF-8, and whether what came so far was not. */
function decoded(req: Request): { chunks: AsyncGenerator<Buffer>; isDamaged: () => boolean } {
  const charset = /charset="?([\w.:-]+)/i.exec(req.headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  const reading = decoderOf(charset, false);
  const isUtf8 = reading.encoding === 'utf-8';
  const strict = decoderOf('utf-8', true);
  let isDamaged = false;
  const look = (chunk: Buffer) => {
    try {
      strict.decode(chunk, { stream: true });
    } catch {
      isDamaged = true;
    }
  };
  async function* chunks(): AsyncGenerator<Buffer> {
    // Who stops reading half-way still has something to say: the connection stays.
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (isUtf8 && !isDamaged) look(chunk);
      yield isUtf8 ? chunk : Buffer.from(reading.decode(chunk, { stream: true }));
    }
  }
  return { chunks: chunks(), isDamaged: () => isDamaged };
}

function decoderOf(charset: string, fatal: boolean) {
  try {
    return new TextDecoder(charset, { fatal });
  } catch {
    throw unreadable(`"${charset.slice(0, 40)}" is not known here, send it as UTF-8.`);
  }
}

const SEPARATORS = [',', ';', '\t'];
const MARKS = SEPARATORS.map((separator) => separator.charCodeAt(0));
const [QUOTE, LINE_FEED, RETURN, SPACE] = [0x22, 0x0a, 0x0d, 0x20];
/** Excel's own way to say it, in a line before the header. */
const SAID = /^(?:\ufeff)?sep=([,;\t])\r?\n/i;

/** Reads on to the end of the first line, which tells the separator: the one that stands there most often. */
async function beginningOf(
  chunks: AsyncGenerator<Buffer>,
): Promise<{ head: Buffer; separator: string; before: number }> {
  const parts: Buffer[] = [];
  const often = MARKS.map(() => 0);
  let [isQuoted, isBegun, size] = [false, false, 0];
  /** Whether the line ends here. */
  const look = (byte: number): boolean => {
    if (byte === QUOTE) isQuoted = !isQuoted;
    else if (!isQuoted && (byte === LINE_FEED || byte === RETURN)) return isBegun;
    else if (!isQuoted && MARKS.includes(byte))
      often[MARKS.indexOf(byte)] = (often[MARKS.indexOf(byte)] ?? 0) + 1;
    if (byte > SPACE) isBegun = true;
    return false;
  };
  for (let isWhole = false; !isWhole && size < LONGEST_LINE; ) {
    const { value, done } = await chunks.next();
    if (done) break;
    parts.push(value);
    size += value.length;
    isWhole = value.some(look);
  }
  const head = Buffer.concat(parts);
  const said = SAID.exec(head.toString('utf8', 0, 16));
  if (said?.[1]) return { head: head.subarray(Buffer.byteLength(said[0])), separator: said[1], before: 1 };
  return { head, separator: SEPARATORS[often.indexOf(Math.max(...often))] ?? ',', before: 0 };
}

async function* joined(head: Buffer, chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length) yield head;
  yield* chunks;
}
