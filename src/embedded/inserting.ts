// Insertion: documents are stored as the bytes they came in, with _id first.
import { ObjectId } from 'bson';
import { type Catalogue, type Collection, create, find } from './catalogue.ts';
import { checkBson, type Doc, decodeFields, eachElement, encode, isDoc } from './documents.ts';
import { fault } from './errors.ts';
import { insertRecord } from './records.ts';

const ID = new Set(['_id']);
const DOCUMENT = 3;
/** By BSON type: what no document may be called. */
const UNFIT: Record<number, string> = { 4: 'array', 6: 'undefined', 11: 'regex' };

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
  const kind = UNFIT[raw[4] as number];
  if (kind) fault(53, `The '_id' value cannot be of type ${kind}`);
  if (raw[4] !== DOCUMENT) return;
  const { _id: id } = decodeFields(raw, ID);
  for (const name of isDoc(id) ? Object.keys(id) : [])
    if (name.startsWith('$'))
      fault(52, `_id fields may not contain '$'-prefixed fields: ${name} is not valid for storage.`);
}

/** Must run in a write; the bytes are checked before anything is stored. */
export function insertRaw(catalogue: Catalogue, c: Collection, sent: Buffer): void {
  checkBson(sent);
  const raw = withId(sent);
  checkId(raw);
  insertRecord(catalogue, c, raw);
}

export const insertDoc = (catalogue: Catalogue, c: Collection, doc: Doc): void =>
  insertRaw(catalogue, c, encode(doc));

/** The collection to write to, created when it is not there. */
export function collectionFor(catalogue: Catalogue, database: string, name: string): Collection {
  return find(catalogue, database, name) ?? create(catalogue, database, name);
}
