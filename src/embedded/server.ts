// Connections. Each one's messages are answered in turn; a message that is not well-formed ends its own connection and
// nobody else's.
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { runCommand } from './commands.ts';
import type { Engine } from './requests.ts';
import { createFramer, type Message, readMessage, writeReply } from './wire.ts';

export type Listening = { socket?: string | undefined; port?: number | undefined };

/** What one connection may have waiting before it is read on. */
const MOST_WAITING = 64;

function serve(engine: Engine, socket: Socket, id: number): void {
  const connection = {
    id,
    peer: socket.remoteAddress ? `${socket.remoteAddress}:${socket.remotePort}` : 'socket',
  };
  const frame = createFramer();
  const waiting: Message[] = [];
  let busy = false;
  socket.setNoDelay(true);
  engine.connections.add(socket);

  async function work(): Promise<void> {
    if (busy) return;
    busy = true;
    for (let message = waiting.shift(); message; message = waiting.shift()) {
      const reply = await runCommand(engine, connection, message);
      if (socket.isPaused() && waiting.length < MOST_WAITING) socket.resume();
      if (message.silent || socket.destroyed) continue;
      socket.cork();
      for (const part of writeReply(reply, message)) socket.write(part);
      socket.uncork();
    }
    busy = false;
  }

  socket.on('data', (chunk) => {
    try {
      for (const bytes of frame(chunk)) waiting.push(readMessage(bytes));
    } catch (error) {
      engine.log(`connection ${id} is closed: ${error instanceof Error ? error.message : String(error)}`);
      socket.destroy();
      return;
    }
    if (waiting.length > MOST_WAITING) socket.pause();
    void work();
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    waiting.length = 0;
    engine.connections.delete(socket);
  });
}

function listen(server: Server, where: Listening): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed);
    if (where.socket !== undefined) {
      rmSync(where.socket, { force: true });
      const before = process.umask(0o177);
      server.listen({ path: where.socket, backlog: 1024 }, () => {
        process.umask(before);
        chmodSync(where.socket as string, 0o600);
        done();
      });
    } else server.listen({ host: '127.0.0.1', port: where.port ?? 0, backlog: 1024 }, () => done());
  });
}

export type Serving = { port: number | undefined; stop(): Promise<void> };

/** A unix socket that its owner alone may use, or loopback TCP, or both. */
export async function startServer(engine: Engine, where: Listening): Promise<Serving> {
  let ids = 0;
  const servers: Server[] = [];
  let port: number | undefined;
  const start = async (at: Listening): Promise<void> => {
    const server = createServer((socket) => serve(engine, socket, ++ids));
    await listen(server, at);
    server.on('error', (error) => engine.log(`the server has trouble: ${error.message}`));
    servers.push(server);
    const address = server.address();
    if (typeof address === 'object' && address) port = address.port;
  };
  if (where.socket !== undefined) await start({ socket: where.socket });
  if (where.port !== undefined) await start({ port: where.port });
  return {
    port,
    async stop() {
      for (const server of servers) server.close();
      await engine.writer.settled();
      for (const socket of engine.connections) (socket as Socket).destroy();
    },
  };
}
