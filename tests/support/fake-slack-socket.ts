// The Socket Mode door of the fake Slack: a WebSocket server small enough to read, speaking only text, ping and close.
import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Json } from './fake-slack-state.ts';

export interface SocketDoor {
  connected(): boolean;
  /** Sends an envelope and waits for its acknowledgement; undefined when none came in time. */
  send(kind: string, payload: Json, withinMs?: number): Promise<Json | undefined>;
  drop(): void;
}

function frame(code: number, data: Buffer): Buffer {
  const head =
    data.length < 126
      ? Buffer.from([0x80 | code, data.length])
      : data.length < 65_536
        ? Buffer.from([0x80 | code, 126, data.length >> 8, data.length & 255])
        : Buffer.concat([Buffer.from([0x80 | code, 127, 0, 0, 0, 0]), uint32(data.length)]);
  return Buffer.concat([head, data]);
}

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

/** Takes whole frames off the front of what has arrived. */
function unframe(buffer: Buffer, each: (code: number, data: Buffer) => void): Buffer {
  let rest = buffer;
  for (;;) {
    const [first, second] = rest;
    if (first === undefined || second === undefined) return rest;
    let length = second & 127;
    let at = 2;
    if (length === 126) {
      if (rest.length < 4) return rest;
      length = rest.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (rest.length < 10) return rest;
      length = rest.readUInt32BE(6);
      at = 10;
    }
    const masked = (second & 128) !== 0;
    const end = at + (masked ? 4 : 0) + length;
    if (rest.length < end) return rest;
    const data = Buffer.from(rest.subarray(end - length, end));
    if (masked) {
      const mask = rest.subarray(at, at + 4);
      for (let i = 0; i < data.length; i += 1) data[i] = (data[i] ?? 0) ^ (mask[i % 4] ?? 0);
    }
    each(first & 15, data);
    rest = rest.subarray(end);
  }
}

export function openSocketDoor(server: Server): SocketDoor {
  const sockets = new Set<Duplex>();
  const waiting = new Map<string, (answer: Json) => void>();
  server.on('upgrade', (req: IncomingMessage, socket: Duplex) => {
    const key = String(req.headers['sec-websocket-key']);
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    sockets.add(socket);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = unframe(Buffer.concat([rest, chunk]), (code, data) => {
        if (code === 9) socket.write(frame(10, data));
        else if (code === 8) {
          socket.end(frame(8, data));
        } else if (code === 1) {
          const said = JSON.parse(data.toString()) as Json;
          waiting.get(String(said.envelope_id))?.(said);
        }
      });
    });
    const gone = (): void => void sockets.delete(socket);
    socket.on('close', gone).on('error', gone);
    socket.write(
      frame(
        1,
        Buffer.from(
          JSON.stringify({ type: 'hello', num_connections: 1, connection_info: { app_id: 'A0SWITCH' } }),
        ),
      ),
    );
  });
  return {
    connected: () => sockets.size > 0,
    send(kind, payload, withinMs = 3000) {
      const [socket] = sockets;
      if (!socket) throw new Error('no Socket Mode connection');
      const id = randomUUID();
      const envelope = {
        envelope_id: id,
        type: kind,
        payload,
        accepts_response_payload: kind !== 'events_api',
      };
      return new Promise((resolve) => {
        const timer = setTimeout(() => done(undefined), withinMs);
        const done = (answer: Json | undefined): void => {
          clearTimeout(timer);
          waiting.delete(id);
          resolve(answer);
        };
        waiting.set(id, done);
        socket.write(frame(1, Buffer.from(JSON.stringify(envelope))));
      });
    },
    drop() {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
  };
}
