// A clamd of its own for the tests: speaks the INSTREAM command of the real one (length-prefixed chunks, a zero at the end,
// an answer that ends in a NUL, then it hangs up), knows one virus, has a longest stream, and can be made to hang.

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';

export const EICAR = 'X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*';

export interface FakeClamd {
  port: number;
  /** How long what was scanned was, in order. */
  scanned: number[];
  /** What was wrong with how it was spoken to. */
  complaints: string[];
  longest: number;
  manner: 'scan' | 'hang' | 'cut' | 'broken';
  /** Comes back at the same port. */
  start: () => Promise<void>;
  stop: () => Promise<void>;
}

export async function openFakeClamd(): Promise<FakeClamd> {
  let server: Server | undefined;
  const sockets = new Set<Socket>();
  const clamd: FakeClamd = {
    ...{ port: 0, scanned: [], complaints: [], longest: 25 * 1024 * 1024, manner: 'scan' },
    start: async () => {
      server = createServer((socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        socket.on('error', () => undefined);
        listenTo(socket, clamd);
      });
      await new Promise<void>((resolve) => server?.listen(clamd.port, '127.0.0.1', resolve));
      clamd.port = (server.address() as AddressInfo).port;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
      server = undefined;
    },
  };
  await clamd.start();
  return clamd;
}

function listenTo(socket: Socket, clamd: FakeClamd): void {
  let waiting = Buffer.alloc(0);
  let command = '';
  let said = Buffer.alloc(0);
  const answer = (words: string) => socket.end(`${words}\0`);
  socket.on('data', (bytes) => {
    if (clamd.manner === 'cut') return socket.destroy();
    waiting = Buffer.concat([waiting, bytes]);
    if (!command) {
      const end = waiting.indexOf(0);
      if (end < 0) return;
      command = waiting.subarray(0, end).toString();
      waiting = waiting.subarray(end + 1);
      if (command !== 'zINSTREAM') {
        clamd.complaints.push(command);
        return answer('UNKNOWN COMMAND');
      }
    }
    while (waiting.length >= 4) {
      const length = waiting.readUInt32BE(0);
      if (length === 0) return judge();
      if (waiting.length < 4 + length) return;
      said = Buffer.concat([said, waiting.subarray(4, 4 + length)]);
      waiting = waiting.subarray(4 + length);
      if (said.length > clamd.longest) {
        // As the real one does: the answer, and no patience for the rest.
        socket.removeAllListeners('data');
        socket.write('INSTREAM size limit exceeded. ERROR\0');
        socket.resetAndDestroy();
        return;
      }
    }
  });

  function judge() {
    if (clamd.manner === 'hang') return;
    clamd.scanned.push(said.length);
    if (clamd.manner === 'broken') return answer("stream: Can't allocate memory ERROR");
    answer(said.includes(EICAR) ? 'stream: Eicar-Test-Signature FOUND' : 'stream: OK');
  }
}
