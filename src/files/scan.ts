// Asking clamd about a file, by its INSTREAM command. Without an answer a file stays unserved, and is asked about again.
import { connect } from 'node:net';
import type { Readable } from 'node:stream';

export type Finding = { clean: true } | { clean: false; found: string };

let address: { host: string; port: number } | undefined;
export function useScanner(host: string | undefined, port: number): void {
  address = host ? { host, port } : undefined;
}
export const hasScanner = (): boolean => address !== undefined;

const PATIENCE_MS = 60_000;

export async function scan(bytes: Readable): Promise<Finding> {
  if (!address) return { clean: true };
  const socket = connect(address);
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('clamd does not answer')));
  const reply = new Promise<string>((resolve, reject) => {
    let text = '';
    socket.on('data', (part) => {
      text += part.toString('utf8');
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(text));
  });
  reply.catch(() => bytes.destroy());
  socket.write('zINSTREAM\0');
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(chunk.length);
    socket.write(length);
    if (!socket.write(chunk))
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), reply]);
  }
  socket.write(Buffer.alloc(4));
  const answer = (await reply).replaceAll('\0', '').trim();
  if (/\bOK$/.test(answer)) return { clean: true };
  const found = /stream: (.+) FOUND$/.exec(answer)?.[1];
  if (found) return { clean: false, found };
  throw new Error(`clamd answered "${answer.slice(0, 100)}"`);
}
