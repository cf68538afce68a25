// The check of the data file refuses what is damaged, and never what is not.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { open } from 'lmdb';
import { checkFile } from '../../src/embedded/integrity.ts';

const folder = mkdtempSync(join(tmpdir(), 'integrity-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('whatever number a commit has, the pages it freed are not taken for documents', async () => {
  const path = join(folder, 'data.mdb');
  const env = open({ path, noSubdir: true, noSync: true, encoding: 'binary', keyEncoding: 'binary' });
  for (let commit = 0; commit < 300; commit++) {
    env.transactionSync(() => {
      for (let key = 0; key < 12; key++)
        env.putSync(Buffer.from([200, (commit + key) % 29]), Buffer.alloc(600, commit));
    });
    expect(() => checkFile(folder)).not.toThrow();
  }
  await env.close();
});
