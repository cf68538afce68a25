// Files in an S3-compatible store (Amazon's, MinIO). The client is loaded only when it is asked for. A store that fails,
// hangs or is away is told as such, and what was being put there is not there.
import type { Readable } from 'node:stream';
import { Refusal } from '../errors.ts';
import type { Storage } from './storage.ts';

export interface S3Options {
  bucket: string;
  region: string;
  endpoint?: string | undefined;
  accessKeyId?: string | undefined;
  secretAccessKey?: string | undefined;
  /** How long the store may take for one answer. */
  patienceMs: number;
}

const PREFIX = 'attachments/';
const TRIES = 3;
const AWAY =
  /^(TimeoutError|NetworkingError|ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|EHOST|ENET|ETIMEDOUT|SlowDown|Request)/;

interface Failure {
  name?: string;
  code?: string;
  /** The client wraps what it does not know into an Error that names it. */
  message?: string;
  $metadata?: { httpStatusCode?: number };
}

/** Our own words for a store that does not do its part; what else went wrong stays as it is. */
function told(error: unknown): unknown {
  const { name = '', code = '', message = '', $metadata } = (error ?? {}) as Failure;
  const kinds = [name, code, message.replace('AWS SDK error wrapper for ', '')];
  const status = $metadata?.httpStatusCode ?? 0;
  if (error instanceof Refusal || !(status >= 500 || status === 429 || kinds.some((kind) => AWAY.test(kind))))
    return error;
  return new Refusal(
    'away',
    'files.away',
    'The file store does not answer just now. Try again in a moment.',
    {
      retryAfter: 5,
      cause: error,
    },
  );
}

export async function s3Storage(options: S3Options): Promise<Storage> {
  const {
    AbortMultipartUploadCommand,
    DeleteObjectCommand,
    GetObjectCommand,
    HeadObjectCommand,
    ListMultipartUploadsCommand,
    PutObjectCommand,
    S3Client,
  } = await import('@aws-sdk/client-s3');
  const { Upload } = await import('@aws-sdk/lib-storage');
  const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
  const { bucket: Bucket, accessKeyId, secretAccessKey, endpoint, region, patienceMs } = options;
  const client = new S3Client({
    region,
    maxAttempts: TRIES,
    requestHandler: {
      connectionTimeout: Math.min(3_000, patienceMs),
      requestTimeout: patienceMs,
      throwOnRequestTimeout: true,
    },
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey } } : {}),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const place = (key: string) => ({ Bucket, Key: `${PREFIX}${key.slice(-2)}/${key}` });
  const asked = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw told(error);
    }
  };
  return {
    async put(key: string, bytes: Readable) {
      const upload = new Upload({
        client,
        params: { ...place(key), Body: bytes },
        queueSize: 2,
        leavePartsOnError: false,
      });
      // What breaks off, or is refused as it passes, is why it failed; that it was aborted is not.
      let broken: Error | undefined;
      bytes.once('error', (error) => {
        broken = error;
        void upload.abort();
      });
      await asked(() => upload.done()).catch((error) => {
        bytes.destroy();
        throw broken ?? error;
      });
    },
    async get(key, range) {
      const Range = range && `bytes=${range.start}-${range.end}`;
      const found = await asked(() =>
        client.send(new GetObjectCommand({ ...place(key), ...(Range ? { Range } : {}) })),
      );
      if (!found.Body) throw new Error('the store answered without a body');
      return found.Body as Readable;
    },
    async size(key) {
      try {
        return (await client.send(new HeadObjectCommand(place(key)))).ContentLength ?? null;
      } catch (error) {
        if ((error as Failure).name === 'NotFound') return null;
        throw told(error);
      }
    },
    async remove(key) {
      await asked(() => client.send(new DeleteObjectCommand(place(key))));
    },
    async tidy(before) {
      const { Uploads = [] } = await asked(() =>
        client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: PREFIX })),
      );
      for (const { Key, UploadId, Initiated } of Uploads)
        if (Key?.startsWith(PREFIX) && Initiated && Initiated < before)
          await asked(() => client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })));
    },
    async close() {
      client.destroy();
    },
    async presign(key, { type, size, seconds }) {
      const command = new PutObjectCommand({ ...place(key), ContentType: type, ContentLength: size });
      const url = await getSignedUrl(client, command, {
        expiresIn: seconds,
        signableHeaders: new Set(['content-type', 'content-length']),
      });
      return { url, headers: { 'Content-Type': type } };
    },
  };
}
