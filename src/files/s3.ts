// Files in an S3-compatible store (Amazon's, MinIO). The client is loaded only when it is asked for.
import type { Readable } from 'node:stream';
import type { Storage } from './storage.ts';

export interface S3Options {
  bucket: string;
  region: string;
  endpoint?: string | undefined;
  accessKeyId?: string | undefined;
  secretAccessKey?: string | undefined;
}

export async function s3Storage(options: S3Options): Promise<Storage> {
  const { S3Client, DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand } =
    await import('@aws-sdk/client-s3');
  const { Upload } = await import('@aws-sdk/lib-storage');
  const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
  const { bucket: Bucket, accessKeyId, secretAccessKey, endpoint, region } = options;
  const client = new S3Client({
    region,
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(accessKeyId && secretAccessKey ? { credentials: { accessKeyId, secretAccessKey } } : {}),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const place = (key: string) => ({ Bucket, Key: `attachments/${key.slice(-2)}/${key}` });
  return {
    async put(key: string, bytes: Readable) {
      const upload = new Upload({
        client,
        params: { ...place(key), Body: bytes },
        queueSize: 2,
        leavePartsOnError: false,
      });
      bytes.once('error', () => void upload.abort());
      await upload.done();
    },
    async get(key, range) {
      const found = await client.send(
        new GetObjectCommand({
          ...place(key),
          ...(range ? { Range: `bytes=${range.start}-${range.end}` } : {}),
        }),
      );
      if (!found.Body) throw new Error('the store answered without a body');
      return found.Body as Readable;
    },
    async size(key) {
      try {
        return (await client.send(new HeadObjectCommand(place(key)))).ContentLength ?? null;
      } catch (error) {
        if ((error as { name?: string }).name === 'NotFound') return null;
        throw error;
      }
    },
    async remove(key) {
      await client.send(new DeleteObjectCommand(place(key)));
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
