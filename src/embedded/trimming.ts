// Projections of top-level fields, made on the bytes: nothing is decoded and encoded again.
import { eachElement } from './documents.ts';

export type PlainFields = { include: boolean; names: ReadonlySet<string>; id: boolean };

export function trim(raw: Buffer, { include, names, id }: PlainFields): Buffer {
  const parts: Buffer[] = [];
  let size = 5;
  let missing = names.size + (id ? 1 : 0);
  eachElement(raw, (name, _type, at, length, from) => {
    const wanted = name === '_id' ? id : names.has(name) === include;
    if (wanted) {
      parts.push(raw.subarray(from, at + length));
      size += at + length - from;
      missing--;
    }
    return include && missing === 0;
  });
  const head = Buffer.allocUnsafe(4);
  head.writeInt32LE(size, 0);
  return Buffer.concat([head, ...parts, Buffer.alloc(1)], size);
}
