// Capped collections: when there are too many bytes or documents, the oldest go, in the write that brought the newest.
import type { Catalogue, Collection } from './catalogue.ts';
import { type Doc, isDoc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { removeRecord } from './records.ts';
import { RECORD_ID_BYTES } from './storage.ts';
import { isNumber, toNumber } from './values.ts';

/** Bytes by collection, as of a count: measured anew when documents were removed since. */
const known = new WeakMap<Collection, { bytes: number; count: number }>();

function bytesOf(catalogue: Catalogue, c: Collection, added: number): number {
  const last = known.get(c);
  if (last && last.count === c.count - 1) return last.bytes + added;
  let bytes = 0;
  for (const { value } of catalogue.storage.entries(c.records)) bytes += value.length;
  return bytes;
}

/** To be called in the write, after a document was inserted. */
export function trimCapped(catalogue: Catalogue, c: Collection, added: number): void {
  if (c.options.capped !== true) return;
  const [size, most] = [toNumber(c.options.size), toNumber(c.options.max ?? Number.POSITIVE_INFINITY)];
  let bytes = bytesOf(catalogue, c, added);
  for (const { key, value } of catalogue.storage.entries(c.records)) {
    if ((bytes <= size && c.count <= most) || c.count === 1) break;
    removeRecord(catalogue, c, key.readUIntBE(key.length - RECORD_ID_BYTES, RECORD_ID_BYTES), value);
    bytes -= value.length;
  }
  known.set(c, { bytes, count: c.count });
}

/** The options of a capped collection, checked. */
export function cappedOptions(body: Doc): Doc {
  const { capped, size, max } = body;
  if (capped === undefined || capped === false) {
    if (size !== undefined || max !== undefined)
      fault(72, "the 'capped' field needs to be true when either the 'size' or 'max' fields are present");
    return {};
  }
  if (!isNumber(size)) fault(72, "the 'size' field is required when 'capped' is true");
  if (toNumber(size) < 1) bad('size has to be >= 1');
  if (max !== undefined && !isNumber(max)) fault(14, "BSON field 'create.max' is the wrong type");
  if (isDoc(body.timeseries)) fault(72, 'a capped collection cannot be time-series');
  return max === undefined ? { capped: true, size } : { capped: true, size, max };
}
