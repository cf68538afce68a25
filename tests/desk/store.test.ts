// The one connection to MongoDB, where the driver needs watching.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { isAway } from '../../src/store.ts';

/** Says hello as MongoDB does; once it is frozen it reads nothing and says nothing. */
let server: Server;
let isFrozen = false;
const lines = new Set<Socket>();
const { BSON } = mongoose.mongo;
beforeAll(async () => {
  server = createServer((line) => {
    lines.add(line);
    line.on('error', () => undefined);
    line.on('close', () => lines.delete(line));
    let heard = Buffer.alloc(0);
    line.on('data', (part) => {
      if (isFrozen) return void line.pause();
      heard = Buffer.concat([heard, part]);
      for (; heard.length >= 16 && heard.length >= heard.readInt32LE(0); ) {
        const asked = heard.subarray(0, heard.readInt32LE(0));
        heard = heard.subarray(asked.length);
        line.write(greeting(asked));
      }
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
afterAll(async () => {
  for (const line of lines) line.destroy();
  await new Promise((done) => server.close(done));
});

/** To every question the same answer, in the envelope in which it was asked. */
function greeting(asked: Buffer): Buffer {
  const isOld = asked.readInt32LE(12) === 2_004;
  const hello = BSON.serialize({
    ...{ ok: 1, helloOk: true, ismaster: true, isWritablePrimary: true, readOnly: false },
    ...{ minWireVersion: 0, maxWireVersion: 21, maxBsonObjectSize: 16_777_216 },
    ...{ maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000, localTime: new Date() },
  });
  const head = Buffer.alloc(isOld ? 36 : 21);
  head.writeInt32LE(head.length + hello.length, 0);
  head.writeInt32LE(asked.readInt32LE(4), 8);
  head.writeInt32LE(isOld ? 1 : 2_013, 12);
  if (isOld) head.writeInt32LE(1, 32);
  return Buffer.concat([head, hello]);
}

test('a command whose connection is given up while it is written fails, instead of never being answered', async () => {
  const { port } = server.address() as AddressInfo;
  // A frozen server is found out by its heartbeat, and the driver then closes what it has to it.
  const client = new mongoose.mongo.MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
    ...{ retryWrites: false, serverSelectionTimeoutMS: 2_000 },
    ...{ heartbeatFrequencyMS: 500, connectTimeoutMS: 500 },
  });
  await client.connect();
  isFrozen = true;
  // More than the system takes off our hands while nobody reads: the driver waits for the rest to go.
  const asked = client
    .db('test')
    .command({ insert: 'letters', documents: [{ text: 'x'.repeat(12_000_000) }] });
  const outcome = asked.then(
    () => 'answered',
    (error: unknown) => (isAway(error) ? 'away' : String(error)),
  );
  const never = new Promise<string>((resolve) => setTimeout(resolve, 5_000, 'never').unref());
  expect(await Promise.race([outcome, never])).toBe('away');
  await client.close(true);
}, 20_000);
