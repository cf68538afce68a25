// Where bytes are kept: a folder, or anything that speaks S3. Keys are ours, never a name that somebody sent.
import type { Readable } from 'node:stream';

export interface Range {
  start: number;
  end: number;
}

export interface Storage {
  /** All of it or nothing: what was cut off leaves nothing behind. */
  put(key: string, bytes: Readable): Promise<void>;
  get(key: string, range?: Range): Promise<Readable>;
  size(key: string): Promise<number | null>;
  remove(key: string): Promise<void>;
  /** What uploads that died before then left half done. */
  tidy(before: Date): Promise<void>;
  close(): Promise<void>;
  /** An address to which the browser uploads by itself. Null: upload through us. */
  presign(
    key: string,
    upload: { type: string; size: number; seconds: number },
  ): Promise<{ url: string; headers: Record<string, string> } | null>;
}

let storage: Storage | undefined;
let limits = { fileSize: 52_428_800 };

export function useStorage(chosen: Storage, fileSize: number): void {
  storage = chosen;
  limits = { fileSize };
}

export function bytesAt(): Storage {
  if (!storage) throw new Error('no file storage yet');
  return storage;
}
export const mostBytes = (): number => limits.fileSize;
