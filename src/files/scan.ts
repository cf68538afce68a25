// Asking clamd about a file, by its INSTREAM command. Without an answer a file stays unserved, and is asked about again.
import { connect, type Socket } from 'node:net';
import type { Readable } from 'node:stream';

/** It was asked, and will not say: the file is too long for it, it cannot read it. Asking at once again is no use. */
export class Unscannable extends Error {
  override name = 'Unscannable';
}

export type Finding = { clean: true } | { clean: false; found: string };

let address: { host: string; port: number } | undefined;
let patience = 60_000;
export function useScanner(host: string | undefined, port: number, patienceMs: number): void {
  address = host ? { host, port } : undefined;
  patience = patienceMs;
}
export const hasScanner = (): boolean => address !== undefined;

export async function scan(bytes: Readable): Promise<Finding> {
  if (!address) return { clean: true };
  const socket = connect(address);
  try {
    return await ask(socket, bytes);
  } finally {
    socket.destroy();
    bytes.destroy();
  }
}

async function ask(socket: Socket, bytes: Readable): Promise<Finding> {
  socket.setTimeout(patience, () => socket.destroy(new Error('clamd does not answer')));
  const reply = new Promise<string>((resolve, reject) => {
    let text = '';
    socket.on('data', (part) => {
      text += part.toString('utf8');
      if (text.includes('\0')) resolve(text);
    });
    // One that has heard enough answers and hangs up; of that the answer may be lost on the way.
    let isTold = false;
    socket.once('connect', () => {
      isTold = true;
    });
    socket.on('error', (error) => {
      if (text) resolve(text);
      else reject(isTold && 'syscall' in error ? new Unscannable(`clamd hung up (${error.message})`) : error);
    });
    socket.once('close', () => resolve(text));
  });
  reply.catch(() => undefined);
  socket.write('zINSTREAM\0');
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    // It may answer before all was said: that the stream is too long for it, say.
    if (socket.destroyed || socket.readableEnded) break;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(chunk.length);
    socket.write(length);
    if (!socket.write(chunk))
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), reply]);
  }
  if (socket.writable) socket.write(Buffer.alloc(4));
  const answer = (await reply).replaceAll('\0', '').trim();
  if (/\bOK$/.test(answer)) return { clean: true };
  const found = /stream: (.+) FOUND$/.exec(answer)?.[1];
  if (found) return { clean: false, found };
  if (!answer) throw new Error('clamd broke off');
  throw new Unscannable(`clamd answered "${answer.slice(0, 100)}"`);
}
