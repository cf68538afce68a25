// A look at the data file before it is opened: a file that was cut off or overwritten is refused with a sentence, because
// what LMDB would read from it is not what was written. A file that is as a clean end left it needs no second look.
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { SPACE } from './storage.ts';

export class DamagedData extends Error {
  override name = 'DamagedData';
}

const MAGIC = 0xbeefc0de;
const HEADER = 24;
const BRANCH = 1;
const LEAF = 2;
const OVERFLOW = 4;
const KINDS = BRANCH | LEAF | OVERFLOW | 8;
const BIG = 1;
const NODE = 8;
const NOWHERE = 0xffffffffffffffffn;
const CHUNK = 1 << 20;

type Meta = { pageSize: number; lastPage: number; transaction: bigint; roots: bigint[] };

function damaged(file: string, what: string): never {
  throw new DamagedData(
    `${file} is damaged (${what}). It is not served, so that nothing wrong is answered. Restore it from a dump or a copy of the folder.`,
  );
}

function readMeta(file: string, page: Buffer): Meta {
  const meta = page.subarray(HEADER);
  if (meta.readUInt32LE(0) !== MAGIC) damaged(file, 'a head page does not begin as it should');
  return {
    pageSize: meta.readUInt32LE(24),
    roots: [meta.readBigUInt64LE(64), meta.readBigUInt64LE(112)],
    lastPage: Number(meta.readBigUInt64LE(120)),
    transaction: meta.readBigUInt64LE(128),
  };
}

function latestMeta(file: string, descriptor: number, size: number): Meta {
  const page = Buffer.alloc(4096);
  const cut = (): never => damaged(file, `it is cut off after ${size} bytes`);
  if (readSync(descriptor, page, 0, 4096, 0) < 4096) cut();
  const first = readMeta(file, page);
  if (first.pageSize < 512 || first.pageSize > 65536) damaged(file, `its page size is ${first.pageSize}`);
  if (readSync(descriptor, page, 0, 4096, first.pageSize) < 4096) cut();
  const second = readMeta(file, page);
  const latest = first.transaction > second.transaction ? first : second;
  const whole = (latest.lastPage + 1) * first.pageSize;
  if (size < whole) damaged(file, `it is cut off after ${size} bytes of ${whole}`);
  return latest;
}

/** Pages by number, read in large pieces: asked for in the order of the file. */
function pageReader(descriptor: number, pageSize: number): (page: number) => Buffer {
  const chunk = Buffer.alloc(CHUNK);
  let held = -1;
  return (page) => {
    const at = Math.floor((page * pageSize) / CHUNK);
    if (at !== held) readSync(descriptor, chunk, 0, CHUNK, at * CHUNK);
    held = at;
    const from = page * pageSize - at * CHUNK;
    return chunk.subarray(from, from + pageSize);
  };
}

/** `documents`: the tree holds them. The other tree tells which pages are free, by keys that look like any. */
type Walk = { file: string; meta: Meta; page: (number: number) => Buffer; documents: boolean };

function checkHead({ file, meta, page }: Walk, number: number, wanted: number): Buffer {
  if (number > meta.lastPage) damaged(file, `it refers to page ${number} of ${meta.lastPage}`);
  const bytes = page(number);
  const kind = bytes.readUInt16LE(18) & KINDS;
  if (bytes.readUInt32LE(0) !== number || (kind & wanted) === 0)
    damaged(file, `page ${number} was overwritten`);
  return bytes;
}

/** Every page that the latest commit reaches says itself which one it is, and each record its length. */
function checkTree(walk: Walk, root: number): void {
  const big: number[] = [];
  for (let level = [root]; level.length > 0; ) {
    const next: number[] = [];
    for (const number of level.sort((a, b) => a - b)) checkPage(walk, number, next, big);
    level = next;
  }
  for (const each of big.sort((a, b) => a - b)) checkHead(walk, each, OVERFLOW);
}

function checkPage(walk: Walk, number: number, next: number[], big: number[]): void {
  const { file, meta } = walk;
  const bytes = checkHead(walk, number, BRANCH | LEAF);
  const branch = (bytes.readUInt16LE(18) & BRANCH) !== 0;
  const lower = bytes.readUInt16LE(20);
  if (lower > bytes.readUInt16LE(22) || lower + HEADER > meta.pageSize)
    damaged(file, `page ${number} was overwritten`);
  for (let at = HEADER; at < HEADER + lower; at += 2) {
    const node = bytes.readUInt16LE(at) + HEADER;
    if (node + NODE > meta.pageSize) damaged(file, `page ${number} was overwritten`);
    const low = bytes.readUInt32LE(node);
    const flags = bytes.readUInt16LE(node + 4);
    if (branch) next.push(low + flags * 4294967296);
    else if (flags & BIG) big.push(bytes.readUInt32LE(node + NODE + bytes.readUInt16LE(node + 6)));
    else if (walk.documents && bytes[node + NODE] === SPACE.records) checkRecord(walk, bytes, node, low);
  }
}

function checkRecord({ file }: Walk, bytes: Buffer, node: number, size: number): void {
  const data = node + NODE + bytes.readUInt16LE(node + 6);
  if (data + 4 > bytes.length || bytes.readInt32LE(data) !== size)
    damaged(file, 'a document has not its length');
}

const fileIn = (directory: string): string => join(directory, 'data.mdb');
const markIn = (directory: string): string => join(directory, 'closed-cleanly');

function mark(file: string): string {
  const { size, mtimeNs } = statSync(file, { bigint: true });
  return `${size} ${mtimeNs}`;
}

export function checkFile(directory: string): void {
  const file = fileIn(directory);
  if (!existsSync(file)) return;
  const known = existsSync(markIn(directory)) ? readFileSync(markIn(directory), 'utf8') : undefined;
  const clean = known === mark(file);
  const descriptor = openSync(file, 'r');
  try {
    const meta = latestMeta(file, descriptor, statSync(file).size);
    const page = pageReader(descriptor, meta.pageSize);
    if (!clean)
      meta.roots.forEach((root, which) => {
        if (root !== NOWHERE) checkTree({ file, meta, page, documents: which === 1 }, Number(root));
      });
  } finally {
    closeSync(descriptor);
  }
  rmSync(markIn(directory), { force: true });
}

/** To be called when the file is closed and nothing will be written to it. */
export function markClean(directory: string): void {
  if (existsSync(fileIn(directory))) writeFileSync(markIn(directory), mark(fileIn(directory)));
}
