// A look at the data file before it is opened: a file that was cut off or overwritten is refused with a sentence, because
// what LMDB would read from it is not what was written.
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

export class DamagedData extends Error {
  override name = 'DamagedData';
}

const MAGIC = 0xbeefc0de;
const HEADER = 24;
const LEAST_PAGES = 2;

type Meta = { pageSize: number; lastPage: number; transaction: bigint; root: bigint };

function damaged(file: string, what: string): never {
  throw new DamagedData(
    `${file} is damaged (${what}). It is not served, so that nothing wrong is answered. Restore it from a dump or a copy of the folder.`,
  );
}

function readMeta(file: string, page: Buffer): Meta {
  const meta = page.subarray(HEADER);
  if (meta.length < 136 || meta.readUInt32LE(0) !== MAGIC)
    damaged(file, 'a head page does not begin as it should');
  return {
    pageSize: meta.readUInt32LE(24),
    root: meta.readBigUInt64LE(24 + 48 + 40),
    lastPage: Number(meta.readBigUInt64LE(24 + 96)),
    transaction: meta.readBigUInt64LE(24 + 104),
  };
}

export function checkFile(directory: string): void {
  const file = join(directory, 'data.mdb');
  if (!existsSync(file)) return;
  const { size } = statSync(file);
  const descriptor = openSync(file, 'r');
  try {
    const page = Buffer.alloc(4096);
    if (readSync(descriptor, page, 0, 4096, 0) < 4096) damaged(file, `it is cut off after ${size} bytes`);
    const first = readMeta(file, page);
    const { pageSize } = first;
    if (pageSize < 512 || pageSize > 65536) damaged(file, `its page size is ${pageSize}`);
    if (size < LEAST_PAGES * pageSize || readSync(descriptor, page, 0, 4096, pageSize) < 4096)
      damaged(file, `it is cut off after ${size} bytes`);
    const second = readMeta(file, page);
    const latest = first.transaction > second.transaction ? first : second;
    if (size < (latest.lastPage + 1) * pageSize)
      damaged(file, `it is cut off after ${size} bytes of ${(latest.lastPage + 1) * pageSize}`);
  } finally {
    closeSync(descriptor);
  }
}
