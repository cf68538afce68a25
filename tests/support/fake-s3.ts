// An S3-compatible store over HTTP with a memory: objects, multipart uploads, ranges, addresses signed beforehand. It
// believes no request that is not signed as AWS Signature Version 4 says, and can be made to fail, hang or break off.
import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeS3 {
  url: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  objects: Map<string, { bytes: Buffer; type: string }>;
  /** Multipart uploads that were begun and neither completed nor aborted. */
  uploads: Map<string, { key: string; parts: Map<number, Buffer>; at: Date }>;
  /** `PUT attachments/ab/…` of everything that was asked, in order. */
  asked: string[];
  /** Answers this status, hangs, or hangs up; null: the ordinary answer. */
  manner: ((what: string) => number | 'hang' | 'cut' | null) | null;
  close: () => Promise<void>;
}

const REGION = 'eu-central-1';
const SECRET = 'a-secret-of-the-fake-store';
const sha = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
const mac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest();
const encoded = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

export async function openFakeS3(): Promise<FakeS3> {
  const fake: FakeS3 = {
    ...{
      url: '',
      bucket: 'desk-files',
      accessKeyId: 'AKIAFAKE',
      secretAccessKey: SECRET,
      asked: [],
      manner: null,
    },
    ...{ objects: new Map(), uploads: new Map(), close: async () => {} },
  };
  let next = 1;
  const server = createServer(async (req, res) => {
    const url = new URL(req.url ?? '/', 'http://fake');
    const key = decodeURIComponent(url.pathname.slice(fake.bucket.length + 2));
    const what = `${req.method} ${key}${url.searchParams.has('uploads') || url.searchParams.has('uploadId') ? '?multipart' : ''}`;
    fake.asked.push(what);
    const manner = fake.manner?.(what) ?? null;
    if (manner === 'hang') return void req.resume();
    if (manner === 'cut') return void req.socket.destroy();
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      return;
    }
    const body = Buffer.concat(chunks);
    if (manner !== null) return refuse(res, manner, manner === 503 ? 'SlowDown' : 'InternalError');
    const complaint = distrust(req, url, body);
    if (complaint) return refuse(res, 403, complaint);
    if (!url.pathname.startsWith(`/${fake.bucket}`)) return refuse(res, 404, 'NoSuchBucket');
    answer(req, res, url, key, body);
  });

  function answer(req: IncomingMessage, res: ServerResponse, url: URL, key: string, body: Buffer) {
    const query = url.searchParams;
    const uploadId = query.get('uploadId');
    const upload = uploadId === null ? undefined : fake.uploads.get(uploadId);
    if (uploadId !== null && !upload) return refuse(res, 404, 'NoSuchUpload');
    const etag = `"${createHash('md5').update(body).digest('hex')}"`;
    if (req.method === 'GET' && query.has('uploads')) {
      const rows = [...fake.uploads].map(
        ([id, one]) =>
          `<Upload><Key>${one.key}</Key><UploadId>${id}</UploadId><Initiated>${one.at.toISOString()}</Initiated></Upload>`,
      );
      return xml(
        res,
        `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${rows.join('')}</ListMultipartUploadsResult>`,
      );
    }
    if (req.method === 'POST' && query.has('uploads')) {
      const id = `upload-${next++}`;
      fake.uploads.set(id, { key, parts: new Map(), at: new Date() });
      return xml(
        res,
        `<InitiateMultipartUploadResult><Bucket>${fake.bucket}</Bucket><Key>${key}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      );
    }
    if (req.method === 'PUT' && upload) {
      upload.parts.set(Number(query.get('partNumber')), body);
      return res.setHeader('etag', etag).end();
    }
    if (req.method === 'POST' && upload && uploadId) {
      const numbers = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map((one) =>
        Number(one[1]),
      );
      const parts = numbers.map((number) => upload.parts.get(number));
      const small = parts.slice(0, -1).some((part) => (part?.length ?? 0) < 5 * 1024 * 1024);
      if (parts.some((part) => !part) || small)
        return refuse(res, 400, small ? 'EntityTooSmall' : 'InvalidPart');
      fake.objects.set(key, { bytes: Buffer.concat(parts as Buffer[]), type: '' });
      fake.uploads.delete(uploadId);
      return xml(
        res,
        `<CompleteMultipartUploadResult><Bucket>${fake.bucket}</Bucket><Key>${key}</Key><ETag>"x-${parts.length}"</ETag></CompleteMultipartUploadResult>`,
      );
    }
    if (req.method === 'DELETE') {
      if (uploadId) fake.uploads.delete(uploadId);
      else fake.objects.delete(key);
      return res.writeHead(204).end();
    }
    if (req.method === 'PUT') {
      fake.objects.set(key, { bytes: body, type: req.headers['content-type'] ?? '' });
      return res.setHeader('etag', etag).end();
    }
    const found = fake.objects.get(key);
    if (!found) return refuse(res, 404, req.method === 'HEAD' ? '' : 'NoSuchKey');
    const range = /^bytes=(\d+)-(\d+)$/.exec(String(req.headers.range ?? ''));
    const [from, to] = range ? [Number(range[1]), Number(range[2])] : [0, found.bytes.length - 1];
    const part = found.bytes.subarray(from, to + 1);
    if (range) res.setHeader('content-range', `bytes ${from}-${to}/${found.bytes.length}`);
    res.writeHead(range ? 206 : 200, { 'content-length': part.length, 'content-type': found.type });
    res.end(req.method === 'HEAD' ? undefined : part);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  fake.close = async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return fake;
}

function refuse(res: ServerResponse, status: number, code: string): void {
  res.writeHead(status, { 'content-type': 'application/xml' });
  res.end(code ? `<Error><Code>${code}</Code><Message>${code}</Message></Error>` : undefined);
}
const xml = (res: ServerResponse, body: string): void =>
  void res.writeHead(200, { 'content-type': 'application/xml' }).end(`<?xml version="1.0"?>${body}`);

/** The S3 error code of what is wrong with a signature; null when it is good. */
function distrust(req: IncomingMessage, url: URL, body: Buffer): string | null {
  const query = url.searchParams;
  const isBeforehand = query.has('X-Amz-Signature');
  const given = isBeforehand
    ? {
        credential: query.get('X-Amz-Credential') ?? '',
        headers: query.get('X-Amz-SignedHeaders') ?? '',
        signature: query.get('X-Amz-Signature') ?? '',
        date: query.get('X-Amz-Date') ?? '',
        payload: 'UNSIGNED-PAYLOAD',
      }
    : fromHeader(req);
  if (!given) return 'AccessDenied';
  const at = Date.parse(
    given.date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'),
  );
  if (Number.isNaN(at)) return 'AccessDenied';
  if (isBeforehand && at + Number(query.get('X-Amz-Expires')) * 1_000 < Date.now()) return 'AccessDenied';
  if (!isBeforehand && Math.abs(Date.now() - at) > 900_000) return 'RequestTimeTooSkewed';
  if (/^[0-9a-f]{64}$/.test(given.payload) && given.payload !== sha(body)) return 'XAmzContentSHA256Mismatch';
  const names = given.headers.split(';');
  if (!names.includes('host')) return 'AccessDenied';
  const canonical = [
    req.method,
    url.pathname,
    [...query]
      .filter(([name]) => name !== 'X-Amz-Signature')
      .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
      .sort()
      .join('&'),
    ...names.map((name) => `${name}:${String(req.headers[name] ?? '').trim()}`),
    '',
    given.headers,
    given.payload,
  ].join('\n');
  const [id, day = '', region = '', service = ''] = given.credential.split('/');
  if (id !== 'AKIAFAKE') return 'InvalidAccessKeyId';
  if (region !== REGION || service !== 's3' || day !== given.date.slice(0, 8)) return 'SignatureDoesNotMatch';
  const text = ['AWS4-HMAC-SHA256', given.date, `${day}/${region}/s3/aws4_request`, sha(canonical)].join(
    '\n',
  );
  const key = ['s3', 'aws4_request'].reduce<Buffer>(mac, mac(mac(`AWS4${SECRET}`, day), region));
  return mac(key, text).toString('hex') === given.signature ? null : 'SignatureDoesNotMatch';
}

function fromHeader(req: IncomingMessage) {
  const found = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)$/.exec(
    req.headers.authorization ?? '',
  );
  if (!found) return null;
  const [, credential = '', headers = '', signature = ''] = found;
  const date = String(req.headers['x-amz-date'] ?? '');
  return { credential, headers, signature, date, payload: String(req.headers['x-amz-content-sha256'] ?? '') };
}
