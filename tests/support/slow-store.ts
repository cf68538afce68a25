// A way to the database that can be made slow, or closed: every answer waits, none is lost.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface SlowStore {
  /** The address of the database by this way. */
  uri: string;
  /** How long each answer takes more. */
  delayMs: number;
  close: () => Promise<void>;
}

export async function openSlowStore(uri = process.env.TEST_MONGODB_URI ?? ''): Promise<SlowStore> {
  const target = new URL(uri);
  const host = decodeURIComponent(target.hostname);
  const port = Number(target.port || 27017);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = host.startsWith('/') ? connect(host) : connect(port, host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    near.pipe(far);
    far.on('data', (part) => {
      if (store.delayMs) setTimeout(() => near.write(part), store.delayMs);
      else near.write(part);
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  target.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store: SlowStore = {
    uri: target.href,
    delayMs: 0,
    close: async () => {
      for (const one of sockets) one.destroy();
      await new Promise((done) => server.close(done));
    },
  };
  return store;
}
