// Which files are taken: by their ending, and by what their first bytes say, which must agree.
import { Refusal } from '../errors.ts';

interface Kind {
  type: string;
  /** What the content may be recognised as; empty: text, which has no signature. */
  signatures: readonly string[];
}

const OLE = ['application/x-cfb'];
const KINDS: Record<string, Kind> = {
  pdf: { type: 'application/pdf', signatures: ['application/pdf'] },
  doc: { type: 'application/msword', signatures: OLE },
  docx: {
    type: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    signatures: [
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
      'application/zip',
    ],
  },
  xls: { type: 'application/vnd.ms-excel', signatures: OLE },
  xlsx: {
    type: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    signatures: ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'application/zip'],
  },
  png: { type: 'image/png', signatures: ['image/png', 'image/apng'] },
  jpg: { type: 'image/jpeg', signatures: ['image/jpeg'] },
  jpeg: { type: 'image/jpeg', signatures: ['image/jpeg'] },
  gif: { type: 'image/gif', signatures: ['image/gif'] },
  zip: { type: 'application/zip', signatures: ['application/zip'] },
  txt: { type: 'text/plain', signatures: [] },
  log: { type: 'text/plain', signatures: [] },
  csv: { type: 'text/csv', signatures: [] },
  json: { type: 'application/json', signatures: [] },
  xml: { type: 'application/xml', signatures: ['application/xml'] },
};
export const ENDINGS = Object.keys(KINDS);
/** As many first bytes as recognition wants. */
export const HEAD = 4_100;

const MOST_NAME = 255;

/** A name that is only a name: no path, no control characters, no direction tricks, not too long. */
export function plainName(given: string): string {
  const last = given.split(/[\\/]/).at(-1) ?? '';
  const name = last
    .normalize('NFC')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must go
    .replace(/[\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069"]/g, '')
    .replace(/^\.+/, '')
    .trim();
  if (!name)
    throw new Refusal('invalid', 'attachment.name', 'The file needs a name.', {
      details: [{ path: 'file', message: 'has no usable name' }],
    });
  const dot = name.lastIndexOf('.');
  return name.length <= MOST_NAME ? name : name.slice(0, MOST_NAME - (name.length - dot)) + name.slice(dot);
}

const notTaken = (message: string) =>
  new Refusal('media', 'attachment.type', message, {
    details: [{ path: 'file', message: `may be ${ENDINGS.join(', ')}` }],
  });

export function kindByName(name: string): Kind {
  const ending = name.includes('.') ? (name.split('.').at(-1) ?? '').toLowerCase() : '';
  const kind = Object.hasOwn(KINDS, ending) ? KINDS[ending] : undefined;
  if (!kind)
    throw notTaken(
      ending
        ? `Files that end in "${ending.slice(0, 20)}" are not taken.`
        : 'A file needs a name with an ending, such as report.pdf.',
    );
  return kind;
}

/** The media type to keep, when name and content agree. */
export async function checkedType(name: string, head: Buffer): Promise<string> {
  const kind = kindByName(name);
  const { fileTypeFromBuffer } = await import('file-type');
  const found = await fileTypeFromBuffer(head);
  if (
    kind.signatures.length === 0
      ? found !== undefined && found.mime !== 'application/xml'
      : found
        ? !kind.signatures.includes(found.mime)
        : kind.type !== 'application/xml'
  )
    throw notTaken(`"${name.slice(0, 80)}" is not what its name says (${found?.mime ?? 'unknown content'}).`);
  if (kind.signatures.length === 0 && head.includes(0)) throw notTaken(`"${name.slice(0, 80)}" is not text.`);
  return kind.type;
}
