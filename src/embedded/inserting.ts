// Insertion: documents are stored as the bytes they came in, with _id first.
import { ObjectId } from 'bson';
import { trimCapped } from './capping.ts';
import { type Catalogue, type Collection, create, find } from './catalogue.ts';
import { checkBson, type Doc, decodeFields, eachElement, isDoc } from './documents.ts';
import { encode } from './encoding.ts';
import { fault } from './errors.ts';
import { insertRecord, type Writing } from './records.ts';

const ID = new Set(['_id']);
const UNDEFINED = 6;
const ARRAY = 4;
const REGEX = 11;
const DOCUMENT = 3;

/** The document with its _id in front, made if it has none. */
export function withId(raw: Buffer): Buffer {
  if (raw[5] === 95 && raw[6] === 105 && raw[7] === 100 && raw[8] === 0) return raw;
  let from = 0;
  let to = 0;
  eachElement(raw, (name, _type, at, size, start) => {
    if (name !== '_id') return undefined;
    from = start;
    to = at + size;
    return true;
  });
  if (to > 0)
    return Buffer.concat([
      raw.subarray(0, 4),
      raw.subarray(from, to),
      raw.subarray(4, from),
      raw.subarray(to),
    ]);
  const id = encode({ _id: new ObjectId() });
  const whole = Buffer.concat([raw.subarray(0, 4), id.subarray(4, -1), raw.subarray(4)]);
  whole.writeInt32LE(whole.length, 0);
  return whole;
}

function checkId(raw: Buffer): void {
  const type = raw[4];
  const kind =
    type === ARRAY ? 'array' : type === REGEX ? 'regex' : type === UNDEFINED ? 'undefined' : undefined;
  if (kind) fault(53, `The '_id' value cannot be of type ${kind}`);
  if (type !== DOCUMENT) return;
  const { _id: id } = decodeFields(raw, ID);
  for (const name of isDoc(id) ? Object.keys(id) : [])
    if (name.startsWith('$'))
      fault(52, `_id fields may not contain '$'-prefixed fields: ${name} is not valid for storage.`);
}

/** Must run in a write; the bytes are checked before anything is stored. */
export function insertRaw(catalogue: Catalogue, c: Collection, sent: Buffer, writing: Writing = {}): Buffer {
  checkBson(sent);
  const raw = withId(sent);
  checkId(raw);
  insertRecord(catalogue, c, raw, writing);
  trimCapped(catalogue, c, raw.length);
  return raw;
}

export function insertDoc(catalogue: Catalogue, c: Collection, doc: Doc, writing: Writing = {}): Buffer {
  return insertRaw(catalogue, c, encode(doc), writing);
}

/** The collection to write to, created when it is not there. */
export function collectionFor(catalogue: Catalogue, database: string, name: string): Collection {
  return find(catalogue, database, name) ?? create(catalogue, database, name);
}
