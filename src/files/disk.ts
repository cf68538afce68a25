// Files in a folder: written under a temporary name, flushed, then renamed, so that a name always means a whole file.
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Refusal } from '../errors.ts';
import type { Storage } from './storage.ts';

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EMFILE', 'ENFILE']);
/** A disk that takes no more today: the caller comes back, and nothing is wrong with what they sent. */
function told(error: unknown): unknown {
  if (!NO_ROOM.has((error as NodeJS.ErrnoException).code ?? '')) return error;
  const words = 'There is no room for files just now. Try again in a moment.';
  return new Refusal('away', 'files.away', words, { retryAfter: 30, cause: error });
}

export async function diskStorage(folder: string): Promise<Storage> {
  const temporary = path.join(folder, 'tmp');
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  const place = (key: string) => {
    if (!/^[0-9a-f]{24}$/.test(key)) throw new Error('not a storage key');
    return path.join(folder, key.slice(-2), key.slice(-4, -2), key);
  };
  return {
    async put(key: string, bytes: Readable) {
      const beside = path.join(temporary, `${key}.${randomUUID()}`);
      try {
        await pipeline(bytes, createWriteStream(beside, { mode: 0o600 }));
        const handle = await open(beside, 'r');
        await handle.sync();
        await handle.close();
        const final = place(key);
        await mkdir(path.dirname(final), { recursive: true, mode: 0o700 });
        await rename(beside, final);
      } catch (error) {
        await rm(beside, { force: true });
        throw told(error);
      }
    },
    get: async (key, range) => {
      const handle = await open(place(key), 'r');
      return createReadStream('', { fd: handle, ...(range ? { start: range.start, end: range.end } : {}) });
    },
    size: async (key) => {
      try {
        return (await stat(place(key))).size;
      } catch {
        return null;
      }
    },
    remove: (key) => rm(place(key), { force: true }),
    tidy: async (before) => {
      for (const left of await readdir(temporary)) {
        const file = path.join(temporary, left);
        const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
        if (mtimeMs < before.getTime()) await rm(file, { force: true });
      }
    },
    presign: async () => null,
    close: async () => {},
  };
}
