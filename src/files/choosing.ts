// Which storage and which scanner this installation has, by its configuration.
import path from 'node:path';
import type { Config } from '../config.ts';
import { diskStorage } from './disk.ts';
import { s3Storage } from './s3.ts';
import { useScanner } from './scan.ts';
import { useStorage } from './storage.ts';

/** Returns what closes it. */
export async function openStorage(config: Config): Promise<() => Promise<void>> {
  const storage = config.S3_BUCKET
    ? await s3Storage({
        bucket: config.S3_BUCKET,
        region: config.S3_REGION,
        endpoint: config.S3_ENDPOINT,
        accessKeyId: config.S3_ACCESS_KEY_ID,
        secretAccessKey: config.S3_SECRET_ACCESS_KEY,
        patienceMs: config.S3_TIMEOUT_SECONDS * 1_000,
      })
    : await diskStorage(config.UPLOAD_STORAGE_PATH ?? path.join(config.DATA_DIR, 'files'));
  useStorage(storage, config.UPLOAD_MAX_FILE_SIZE);
  useScanner(config.CLAMD_HOST, config.CLAMD_PORT, config.CLAMD_TIMEOUT_SECONDS * 1_000);
  return storage.close;
}
