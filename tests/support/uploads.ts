// Sending and fetching files over the wire, as a client does that never holds them whole.
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface Sent {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer, and that is its type
  body: any;
  sha256: string;
}

const LINE = Buffer.from(`${'all work and no play '.repeat(3_120)}\n`);

/** So many bytes of text, made as they go; `pace` waits between them. */
export async function* lines(
  size: number,
  pace: () => Promise<unknown> = async () => {},
): AsyncGenerator<Buffer> {
  for (let left = size; left > 0; left -= LINE.length) {
    await pace();
    yield left < LINE.length ? LINE.subarray(0, left) : LINE;
  }
}

/** Uploads one file as a form, chunk by chunk. */
export async function sendFile(
  url: string,
  as: string,
  name: string,
  bytes: AsyncIterable<Buffer>,
): Promise<Sent> {
  const hash = createHash('sha256');
  const mark = 'the-end-of-a-part';
  async function* form() {
    yield Buffer.from(
      `--${mark}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\ncontent-type: text/plain\r\n\r\n`,
    );
    for await (const chunk of bytes) {
      hash.update(chunk);
      yield chunk;
    }
    yield Buffer.from(`\r\n--${mark}--\r\n`);
  }
  const out = request(url, {
    method: 'POST',
    headers: {
      ...{ authorization: `Bearer ${as}`, connection: 'close' },
      'content-type': `multipart/form-data; boundary=${mark}`,
    },
  });
  const answer = new Promise<{ status: number; text: string }>((resolve, reject) => {
    out.once('error', reject);
    out.once('response', (res) => {
      let text = '';
      res.on('data', (part) => {
        text += part;
      });
      res.once('end', () => resolve({ status: res.statusCode ?? 0, text }));
      res.once('error', reject);
    });
  });
  answer.catch(() => undefined);
  await pipeline(Readable.from(form()), out).catch(() => undefined);
  const { status, text } = await answer;
  return { status, body: JSON.parse(text || 'null'), sha256: hash.digest('hex') };
}

/** Fetches a file, and keeps its hash and length alone. */
export async function fetchFile(url: string, as: string, headers: Record<string, string> = {}) {
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${as}`, connection: 'close', ...headers },
  });
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { status: answer.status, headers: answer.headers, size, sha256: hash.digest('hex') };
}
