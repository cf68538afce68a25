// Files on a disk: whole or not there, and a disk that is full is nobody's fault.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { diskStorage } from '../../src/files/disk.ts';

test('a disk that is full while a file comes is told as such, and leaves nothing of it', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'switchboard-disk-'));
  const storage = await diskStorage(folder);
  const key = 'a'.repeat(24);
  const bytes = Readable.from(
    (function* () {
      yield Buffer.from('the beginning');
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    })(),
  );
  await expect(storage.put(key, bytes)).rejects.toMatchObject({ kind: 'away', retryAfter: 30 });
  expect(await storage.size(key)).toBeNull();
  expect(readdirSync(path.join(folder, 'tmp'))).toEqual([]);
  await storage.close();
  rmSync(folder, { recursive: true });
});
