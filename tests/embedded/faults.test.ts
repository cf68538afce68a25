// What goes wrong around the engine: it is killed, its file is cut, its disk is full, its clients send nonsense. Nothing
// that it acknowledged is lost, nothing wrong is served, and one client's fault is nobody else's.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { type Collection, MongoClient } from 'mongodb';

const PROGRAM = fileURLToPath(new URL('../../dist/src/embedded/process.js', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'faults-'));
const running = new Set<ChildProcess>();

type Engine = { child: ChildProcess; uri: string; port: number };
type Word = { ready: boolean; port: number; reason?: string };

let folders = 0;
const newFolder = (): string => join(root, String(++folders));

async function launch(
  data: string,
  keep = true,
  more: string[] = [],
): Promise<{ child: ChildProcess; word: Word }> {
  const child = spawn(
    process.execPath,
    [PROGRAM, '--data', data, '--port', '0', ...(keep ? ['--keep'] : []), ...more],
    {
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  running.add(child);
  child.once('exit', () => running.delete(child));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [line] = (await once(lines, 'line')) as [string];
  return { child, word: JSON.parse(line) as Word };
}

async function serve(data: string): Promise<Engine> {
  const { child, word } = await launch(data);
  expect(word).toMatchObject({ ready: true });
  return { child, port: word.port, uri: `mongodb://127.0.0.1:${word.port}/?directConnection=true` };
}

async function end({ child }: Engine, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

async function withClient<T>(uri: string, work: (client: MongoClient) => Promise<T>, pool = 20): Promise<T> {
  const client = new MongoClient(uri, { maxPoolSize: pool, serverSelectionTimeoutMS: 10_000 });
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.close();
  }
}

afterEach(async () => {
  for (const child of running) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Every index counts the same documents as a walk, and finds each of them. */
async function expectAgreement(
  collection: Collection<{ _id: string; n: number; at: number }>,
): Promise<void> {
  const docs = await collection.find({}, { hint: { $natural: 1 } }).toArray();
  for (const hint of [{ _id: 1 }, { n: 1 }, { at: -1, n: 1 }]) {
    const byIndex = await collection.find({}, { hint } as never).toArray();
    expect(byIndex.map(({ _id }) => _id).sort()).toEqual(docs.map(({ _id }) => _id).sort());
  }
  for (const doc of docs.slice(0, 20))
    expect(await collection.findOne({ n: doc.n, _id: doc._id })).toEqual(doc);
  expect(await collection.estimatedDocumentCount()).toBe(docs.length);
}

describe('killed at any moment', () => {
  test('the engine loses nothing that it acknowledged, ten times over', async () => {
    const data = newFolder();
    const inserted = new Map<string, number>();
    for (let round = 0; round < 10; round++) {
      const engine = await serve(data);
      const client = new MongoClient(engine.uri, { maxPoolSize: 20, retryWrites: false });
      await client.connect();
      const collection = client.db('faults').collection<{ _id: string; n: number; at: number }>('load');
      await collection.createIndexes([{ key: { n: 1 } }, { key: { at: -1, n: 1 } }]);
      if (round > 0) {
        const kept = new Map((await collection.find().toArray()).map(({ _id, n }) => [_id, n]));
        for (const [id, n] of inserted) expect(kept.get(id)).toBeGreaterThanOrEqual(n);
        await expectAgreement(collection);
      }
      let acknowledged = 0;
      const writers = Array.from({ length: 12 }, async (_, writer) => {
        for (let i = 0; ; i++) {
          const id = `${round}-${writer}-${i}`;
          await collection.insertOne({ _id: id, n: 1, at: i });
          inserted.set(id, 1);
          acknowledged++;
          if (i % 3 !== 0) continue;
          await collection.updateOne({ _id: id }, { $inc: { n: 1 }, $set: { at: -i } });
          inserted.set(id, 2);
        }
      }).map((each) => each.catch(() => undefined));
      while (acknowledged < 60 + 37 * round) await pause(1);
      await end(engine, 'SIGKILL');
      await Promise.all(writers);
      await client.close();
    }
    expect(inserted.size).toBeGreaterThan(500);
  }, 120_000);

  test('the engine ends by itself when the process that started it is gone', async () => {
    const { child } = await serve(newFolder());
    const ended = once(child, 'exit');
    child.stdin?.end();
    const [code] = await ended;
    expect(code).toBe(0);
  });
});

async function filled(data: string): Promise<void> {
  const engine = await serve(data);
  await withClient(engine.uri, async (client) => {
    const docs = Array.from({ length: 3000 }, (_, n) => ({ n, text: 'x'.repeat(300) }));
    await client.db('faults').collection('docs').insertMany(docs);
  });
  await end(engine);
}

describe('a data folder', () => {
  test('whose file was cut off is refused with a sentence', async () => {
    const data = newFolder();
    await filled(data);
    const file = join(data, 'data.mdb');
    const { size } = statSync(file);
    for (const length of [Math.floor(size / 2), 5000, 100, 0]) {
      const descriptor = openSync(file, 'r+');
      ftruncateSync(descriptor, length);
      closeSync(descriptor);
      const { word } = await launch(data);
      expect(word.ready).toBe(false);
      expect(word.reason).toMatch(/is damaged \(.*cut off.*\)\. It is not served/);
    }
  });

  test('whose file was torn is refused with a sentence', async () => {
    for (const [at, length] of [
      [0, 512],
      [4096, 512],
      [40_960, 200_000],
    ] as const) {
      const data = newFolder();
      await filled(data);
      const descriptor = openSync(join(data, 'data.mdb'), 'r+');
      writeSync(descriptor, Buffer.alloc(length, 0xa5), 0, length, at);
      closeSync(descriptor);
      const { word } = await launch(data);
      expect({ at, ...word }).toMatchObject({
        at,
        ready: false,
        reason: expect.stringMatching(/is damaged/),
      });
    }
  });

  test('in use is refused to a second process', async () => {
    const data = newFolder();
    const first = await serve(data);
    const second = await launch(data, false);
    expect(second.word).toMatchObject({ ready: false, reason: expect.stringMatching(/in use/) });
    expect(await withClient(first.uri, (client) => client.db('a').command({ ping: 1 }))).toMatchObject({
      ok: 1,
    });
    await end(first, 'SIGKILL');
    await serve(data);
  });
});

describe('time', () => {
  test('takes away what a TTL index says is over, and nothing else', async () => {
    const { word } = await launch(newFolder(), true, ['--expire-every', '50']);
    await withClient(`mongodb://127.0.0.1:${word.port}/?directConnection=true`, async (client) => {
      const docs = client.db('faults').collection<{ _id: string; at?: unknown }>('docs');
      await docs.createIndex({ at: 1 }, { expireAfterSeconds: 60 });
      await docs.insertMany([
        { _id: 'over', at: new Date(Date.now() - 61_000) },
        { _id: 'over in a list', at: [new Date(0), new Date()] },
        { _id: 'not yet', at: new Date(Date.now() - 30_000) },
        { _id: 'no date', at: 'yesterday' },
        { _id: 'none' },
      ]);
      while ((await docs.countDocuments({ _id: /^over/ })) > 0) await pause(20);
      const left = await docs.find().toArray();
      expect(left.map(({ _id }) => _id).sort()).toEqual(['no date', 'none', 'not yet']);
    });
  });
});

describe('a full disk', () => {
  test('is an error to the write, while reading goes on', async () => {
    const data = newFolder();
    const program = `ulimit -f 12000; exec "${process.execPath}" "${PROGRAM}" --data "${data}" --port 0 --keep`;
    const child = spawn('bash', ['-c', program], { stdio: ['pipe', 'pipe', 'ignore'] });
    running.add(child);
    child.once('exit', () => running.delete(child));
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { port } = JSON.parse(line) as Word;
    await withClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, async (client) => {
      const docs = client.db('faults').collection<{ n: number; text?: string }>('docs');
      await docs.createIndex({ n: 1 });
      let acknowledged = 0;
      const fill = async (): Promise<never> => {
        for (;;) {
          await docs.insertMany(
            Array.from({ length: 50 }, (_, i) => ({ n: acknowledged + i, text: 'x'.repeat(1000) })),
          );
          acknowledged += 50;
        }
      };
      await expect(fill()).rejects.toMatchObject({
        code: 14031,
        message: expect.stringMatching(/disk is full/),
      });
      expect(await docs.findOne({ n: acknowledged - 1 })).toMatchObject({ n: acknowledged - 1 });
      const walked = await docs.find({}, { hint: { $natural: 1 } }).toArray();
      expect(walked.length).toBeGreaterThanOrEqual(acknowledged);
      expect(await docs.find({}, { hint: { n: 1 } }).toArray()).toHaveLength(walked.length);
      expect(await docs.estimatedDocumentCount()).toBe(walked.length);
    });
  }, 60_000);
});

const closed = (socket: Socket): Promise<unknown> =>
  socket.destroyed ? Promise.resolve() : new Promise((done) => socket.once('close', done));

function header(length: number, code: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeInt32LE(length, 0);
  bytes.writeInt32LE(1, 4);
  bytes.writeInt32LE(code, 12);
  return bytes;
}

describe('clients', () => {
  test('who send nonsense lose their own connection, and nobody else theirs', async () => {
    const { uri, port } = await serve(newFolder());
    await withClient(uri, async (client) => {
      const docs = client.db('faults').collection('docs');
      await docs.insertOne({ a: 1 });
      const body = Buffer.from([0, 0, 0, 0, 0, 200, 0, 0, 0, 1, 97, 0]);
      const nonsense = [
        Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
        header(-5, 2013),
        header(0x7fffffff, 2013),
        Buffer.concat([header(16 + 9, 2013), Buffer.alloc(9, 255)]),
        Buffer.concat([header(16 + body.length, 2013), body]),
        Buffer.concat([header(16 + 20, 2012), Buffer.alloc(20)]),
        Buffer.concat([header(16 + 20, 9999), Buffer.alloc(20)]),
      ];
      for (const bytes of nonsense) {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        socket.write(bytes);
        await closed(socket);
        expect(await docs.countDocuments()).toBe(1);
      }
    });
  });

  test('are served, five hundred of them at once', async () => {
    const { uri } = await serve(newFolder());
    const clients = Array.from(
      { length: 500 },
      () => new MongoClient(uri, { maxPoolSize: 1, minPoolSize: 1 }),
    );
    try {
      await Promise.all(
        clients.map(async (client, n) => {
          const docs = client.db('faults').collection<{ _id: number }>('docs');
          await docs.insertOne({ _id: n });
          expect(await docs.findOne({ _id: n })).toEqual({ _id: n });
        }),
      );
      const [first] = clients;
      expect(await first?.db('faults').collection('docs').countDocuments()).toBe(500);
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  }, 60_000);

  test('who ask for more than a document holds get it, and cannot store it', async () => {
    const { uri } = await serve(newFolder());
    await withClient(uri, async (client) => {
      const docs = client.db('faults').collection('large');
      const texts = Array.from({ length: 20 }, (_, n) => String(n).padStart(1_000_000, 'x'));
      await docs.insertMany(texts.map((text) => ({ text })));
      expect((await docs.distinct('text')).sort()).toEqual(texts.sort());
      const all = { $concat: Array.from({ length: 20 }, () => '$text') };
      await expect(docs.updateOne({}, [{ $set: { all } }])).rejects.toMatchObject({ code: 10334 });
      expect(await docs.countDocuments({ all: { $exists: false } })).toBe(20);
    });
  });

  test('who name a field as if it were a type of BSON are refused, and hold up nobody', async () => {
    const { uri } = await serve(newFolder());
    await withClient(uri, async (client) => {
      const docs = client.db('faults').collection<{ _id: number; a?: unknown }>('docs');
      await docs.insertOne({ _id: 1, a: {} });
      const [refused, done] = await Promise.allSettled([
        docs.updateOne({ _id: 1 }, { $set: { 'a._bsontype': 'ObjectId' } }),
        docs.insertOne({ _id: 2 }),
      ]);
      expect(refused).toMatchObject({ status: 'rejected', reason: { code: 22 } });
      expect(done).toMatchObject({ status: 'fulfilled' });
      expect(await docs.find().toArray()).toEqual([{ _id: 1, a: {} }, { _id: 2 }]);
    });
  });

  test('who name prototypes in their paths pollute nothing', async () => {
    const { uri } = await serve(newFolder());
    await withClient(uri, async (client) => {
      const docs = client.db('faults').collection<{ _id: number }>('docs');
      await docs.insertOne({ _id: 1 });
      for (const path of ['constructor.prototype.polluted', '__proto__.polluted', 'a.__proto__.polluted']) {
        await docs.updateOne({ _id: 1 }, { $set: { [path]: true } });
        expect(await docs.countDocuments({ polluted: true })).toBe(0);
        expect(await docs.aggregate([{ $project: { polluted: '$polluted' } }]).toArray()).toEqual([
          { _id: 1 },
        ]);
        expect(await docs.countDocuments({ [path]: true })).toBe(1);
      }
    });
  });
});
