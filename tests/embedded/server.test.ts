// The engine as a driver and mongoose meet it: what we rely on, over the wire.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Collection, type Db, type Document, Double, Long, MongoClient } from 'mongodb';
import mongoose, { Schema } from 'mongoose';
import type { Launched } from '../../src/embedded/launch.ts';

const { launchEngine } = (await import(
  new URL('../../dist/src/embedded/launch.js', import.meta.url).href
)) as typeof import('../../src/embedded/launch.ts');

const folder = mkdtempSync(join(tmpdir(), 'engine-'));
const lines: string[] = [];
let engine: Launched;
let client: MongoClient;
let db: Db;
let docs: Collection<Document>;

beforeAll(async () => {
  engine = await launchEngine({
    dataDir: join(folder, 'data'),
    socket: join(folder, 's.sock'),
    log: (line) => lines.push(line),
  });
  client = await MongoClient.connect(engine.uri);
});

afterAll(async () => {
  await client.close();
  await engine.stop();
  rmSync(folder, { recursive: true });
});

let databases = 0;
beforeEach(() => {
  db = client.db(`test${++databases}`);
  docs = db.collection('docs');
});

const stages = (plan: Document): string[] =>
  plan ? [String(plan.stage), ...(plan.inputStage ? stages(plan.inputStage as Document) : [])] : [];
const wayOf = async (cursor: { explain(): Promise<Document> }): Promise<string[]> =>
  stages((await cursor.explain()).queryPlanner.winningPlan as Document);

describe('hello', () => {
  test('is that of a standalone server, with its limits', async () => {
    const hello = await db.command({ hello: 1 });
    expect(hello).toMatchObject({ isWritablePrimary: true, maxBsonObjectSize: 16777216, ok: 1 });
    expect(hello).not.toHaveProperty('setName');
  });

  test.each([
    [{ find: 'docs', txnNumber: Long.fromNumber(1), startTransaction: true, autocommit: false }, 20],
    [{ find: 'docs', readConcern: { level: 'snapshot' } }, 123],
    [{ insert: 'docs', documents: [{}], writeConcern: { w: 3 } }, 2],
    [{ mapReduce: 'docs' }, 115],
    [{ nonsense: 1 }, 59],
    [{ find: 'docs', nonsense: 1 }, 40415],
    [{ find: 'docs', tailable: true }, 115],
    [{ aggregate: 'docs', pipeline: [{ $nonsense: {} }], cursor: {} }, 40324],
    [{ aggregate: 'docs', pipeline: [{ $changeStream: {} }], cursor: {} }, 40573],
    [{ create: 'c', timeseries: { timeField: 'at' } }, 115],
    [{ create: 'c', viewOn: 'docs', pipeline: [] }, 115],
    [{ create: 'c', capped: true, size: 4096 }, 115],
    [{ create: 'c', validator: { a: { $exists: true } } }, 115],
    [{ create: 'c', clusteredIndex: { key: { _id: 1 }, unique: true } }, 115],
    [{ renameCollection: 'test.docs', to: 'test.others' }, 115],
    [{ aggregate: 1, pipeline: [{ $currentOp: {} }], cursor: {} }, 73],
    [{ bulkWrite: 1, ops: [{ insert: 0, document: {} }], nsInfo: [{ ns: 'a.b' }] }, 13],
    [{ createIndexes: 'docs', indexes: [{ key: { a: 1 }, name: 'a', hidden: true }] }, 115],
    [{ createIndexes: 'docs', indexes: [{ key: { a: 'hashed' }, name: 'a' }] }, 115],
    [{ aggregate: 'docs', pipeline: [{ $redact: '$$KEEP' }], cursor: {} }, 40324],
    [{ aggregate: 'docs', pipeline: [{ $graphLookup: {} }], cursor: {} }, 40324],
    [{ aggregate: 'docs', pipeline: [{ $group: { _id: 1, p: { $median: {} } } }], cursor: {} }, 15952],
    [{ createIndexes: 'docs', indexes: [{ key: { a: '2dsphere' }, name: 'a' }] }, 115],
    [{ find: 'docs', filter: { $where: '1' } }, 115],
    [{ getMore: Long.fromNumber(7), collection: 'docs' }, 43],
  ])("%j is refused with MongoDB's number %i and a sentence", async (command, code) => {
    const refused = db.command(command as Document);
    await expect(refused).rejects.toMatchObject({ code, errmsg: expect.stringMatching(/\w+ \w+/) });
  });
});

describe('writing', () => {
  test('an ordered batch stops at the first fault, an unordered one goes on, and each says which', async () => {
    const batch = [{ _id: 1 }, { _id: 1 }, { _id: 2 }] as Document[];
    const first = await docs.insertMany(batch).catch((error) => error);
    expect(first).toMatchObject({ code: 11000, insertedCount: 1, writeErrors: [{ index: 1 }] });
    const second = await docs.insertMany(batch, { ordered: false }).catch((error) => error);
    expect(second).toMatchObject({ insertedCount: 1 });
    expect(second.writeErrors.map((each: { index: number }) => each.index)).toEqual([0, 1]);
  });

  test('a duplicate key error names the index, the pattern and the value', async () => {
    await docs.createIndex({ company: 1, number: 1 }, { unique: true });
    await docs.insertOne({ company: 'a', number: 1 });
    await expect(docs.insertOne({ company: 'a', number: 1 })).rejects.toMatchObject({
      code: 11000,
      keyPattern: { company: 1, number: 1 },
      keyValue: { company: 'a', number: 1 },
      message: expect.stringContaining('index: company_1_number_1 dup key: { company: "a", number: 1 }'),
    });
    await docs.updateOne({ company: 'a' }, { $set: { number: 2 } });
    await docs.insertOne({ company: 'a', number: 1 });
    await expect(docs.updateOne({ number: 2 }, { $set: { number: 1 } })).rejects.toMatchObject({
      code: 11000,
    });
    expect(await docs.countDocuments({ number: 2 })).toBe(1);
  });

  test('fifty who increase one number at once each count once', async () => {
    await docs.insertOne({ _id: 'n' as never, n: 0 });
    const seen = await Promise.all(
      Array.from({ length: 50 }, () =>
        docs.findOneAndUpdate({ _id: 'n' as never }, { $inc: { n: 1 } }, { returnDocument: 'after' }),
      ),
    );
    expect(new Set(seen.map((doc) => doc?.n)).size).toBe(50);
  });

  test('of fifty who claim one thing, one wins', async () => {
    await docs.insertOne({ _id: 't' as never, seq: 3 });
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, who) =>
        docs.updateOne({ _id: 't' as never, seq: 3 }, { $set: { who, seq: 4 } }),
      ),
    );
    expect(results.filter(({ modifiedCount }) => modifiedCount === 1)).toHaveLength(1);
  });

  test('fifty upserts of one key make one document', async () => {
    await docs.createIndex({ key: 1 }, { unique: true });
    const upsert = () => docs.updateOne({ key: 'k' }, { $inc: { n: 1 } }, { upsert: true });
    await Promise.all(Array.from({ length: 50 }, upsert));
    expect(await docs.find().toArray()).toMatchObject([{ key: 'k', n: 50 }]);
  });

  test('an update of many that moves documents in its own index changes each once', async () => {
    await docs.createIndex({ n: 1 });
    await docs.insertMany(Array.from({ length: 2000 }, (_, n) => ({ n })));
    expect(await docs.updateMany({ n: { $gte: 0 } }, { $inc: { n: 10_000 } })).toMatchObject({
      modifiedCount: 2000,
    });
    expect(await docs.countDocuments({ n: { $gte: 10_000, $lt: 12_000 } })).toBe(2000);
    expect(await docs.deleteMany({ n: { $lt: 11_000 } })).toMatchObject({ deletedCount: 1000 });
    expect(await docs.countDocuments()).toBe(1000);
  });

  test('number types survive storage, and compare by value', async () => {
    await docs.insertOne({ _id: 1 as never, int: 1, double: new Double(1), long: Long.fromNumber(1) });
    await docs.updateOne({ int: 1 }, { $set: { other: true } });
    const raw = await docs.findOne({ double: 1, long: 1 }, { promoteValues: false });
    expect(raw).toMatchObject({
      int: { _bsontype: 'Int32' },
      double: { _bsontype: 'Double' },
      long: { _bsontype: 'Long' },
    });
  });
});

describe('searching', () => {
  beforeEach(async () => {
    const kinds = ['open', 'pending', 'closed'];
    await docs.insertMany(
      Array.from({ length: 600 }, (_, n) => ({
        n,
        company: n % 2,
        status: kinds[n % 3],
        at: new Date(n * 1000),
        tags: [`t${n % 5}`, 'all'],
      })),
    );
    await docs.createIndexes([{ key: { company: 1, status: 1, at: -1 } }, { key: { tags: 1, at: 1 } }]);
  });

  test('an equality with an order comes from the index, sorted', async () => {
    const find = () => docs.find({ company: 1, status: 'open' }).sort({ at: -1 }).limit(25);
    expect(await wayOf(find())).toEqual(['LIMIT', 'FETCH', 'IXSCAN']);
    const found = await find().toArray();
    expect(found.map(({ n }) => n)).toEqual([...found.map(({ n }) => n)].sort((a, b) => b - a));
  });

  test('several values with an order come from the index, merged and not sorted', async () => {
    const find = () =>
      docs
        .find({ company: 1, status: { $in: ['open', 'pending'] } })
        .sort({ at: -1 })
        .limit(10);
    expect(await wayOf(find())).toEqual(['LIMIT', 'FETCH', 'SORT_MERGE', 'IXSCAN']);
    expect((await find().toArray()).map(({ n }) => n)).toEqual([
      597, 595, 591, 589, 585, 583, 579, 577, 573, 571,
    ]);
  });

  test('an element of an array with an order comes from the index', async () => {
    expect(await wayOf(docs.find({ tags: 't1' }).sort({ at: 1 }))).toEqual(['FETCH', 'IXSCAN']);
    expect(
      await wayOf(docs.find({ $and: [{ n: { $gt: 1 } }, { $or: [{ tags: /^t1/ }, { tags: /^t2/ }] }] })),
    ).toEqual(['FETCH', 'OR']);
    expect(await wayOf(docs.find({ tags: { $type: 'string' } }))).toEqual(['FETCH', 'IXSCAN']);
    expect((await docs.find({ tags: 't1' }).sort({ at: 1 }).limit(3).toArray()).map(({ n }) => n)).toEqual([
      1, 6, 11,
    ]);
  });

  test('a count of what an index holds reads no documents', async () => {
    const plan = (await db.command({
      explain: { count: 'docs', query: { company: 1, status: 'open' } },
    })) as Document;
    expect(stages(plan.queryPlanner.winningPlan as Document)).toEqual(['COUNT', 'COUNT_SCAN']);
    expect(await docs.countDocuments({ company: 1, status: 'open' })).toBe(100);
  });

  test('a cursor gives everything once, in batches of any size', async () => {
    for (const batchSize of [1, 7, 101, 5000]) {
      const found = await docs.find({}, { batchSize }).toArray();
      expect(found.map(({ n }) => n)).toEqual(Array.from({ length: 600 }, (_, n) => n));
    }
    const cursor = docs.find({}, { batchSize: 2 });
    await cursor.next();
    await cursor.close();
  });

  test('a cursor over a walk goes on while others write', async () => {
    const cursor = docs.find({ tags: 'all' }, { batchSize: 50, hint: { $natural: 1 } });
    const seen: number[] = [];
    for await (const { n } of cursor) {
      seen.push(n);
      if (n % 100 === 0) await docs.updateOne({ n }, { $set: { seen: true } });
    }
    expect(new Set(seen).size).toBe(600);
  });

  test('a text search weighs, and sorts by score', async () => {
    await docs.createIndex({ title: 'text', body: 'text' }, { weights: { title: 5 } });
    await docs.insertMany([
      { title: 'Printer is burning', body: 'on the second floor' },
      { title: 'Question', body: 'how do I connect the printer?' },
      { title: 'Holidays', body: 'nothing' },
    ]);
    const found = await docs
      .find({ $text: { $search: 'printers' } }, { projection: { title: 1, score: { $meta: 'textScore' } } })
      .sort({ score: { $meta: 'textScore' } })
      .toArray();
    expect(found.map(({ title }) => title)).toEqual(['Printer is burning', 'Question']);
    expect(found[0]?.score).toBeGreaterThan(found[1]?.score);
  });
});

describe('collections and indexes', () => {
  test('an index is listed as it was made, and made once', async () => {
    await docs.createIndex({ a: 1 }, { partialFilterExpression: { a: { $exists: true } }, unique: true });
    await docs.createIndex({ a: 1 }, { partialFilterExpression: { a: { $exists: true } }, unique: true });
    expect(await docs.indexes()).toMatchObject([
      { name: '_id_' },
      { name: 'a_1', unique: true, key: { a: 1 } },
    ]);
    await expect(
      docs.createIndex({ a: 1 }, { partialFilterExpression: { a: { $exists: true } } }),
    ).rejects.toMatchObject({ code: 86 });
    await docs.dropIndex('a_1');
    expect(await docs.indexes()).toHaveLength(1);
  });

  test('a unique index is not made over duplicates, and leaves nothing behind', async () => {
    await docs.insertMany([{ a: 1 }, { a: 1 }]);
    await expect(docs.createIndex({ a: 1 }, { unique: true })).rejects.toMatchObject({ code: 11000 });
    expect(await docs.indexes()).toHaveLength(1);
    await docs.insertOne({ a: 1 });
  });

  test('a large collection is indexed while others write to it', async () => {
    await docs.insertMany(Array.from({ length: 5000 }, (_, n) => ({ n })));
    const making = docs.createIndex({ n: 1 });
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => docs.updateOne({ n: i * 100 }, { $set: { n: -i } })),
    );
    await docs.insertOne({ n: 6000 });
    await making;
    expect(await docs.find({ n: { $lte: 6000 } }, { hint: 'n_1' }).toArray()).toHaveLength(5001);
    expect(await docs.countDocuments({ n: -7 })).toBe(1);
  });

  test('what is dropped is gone, and its name is free', async () => {
    await docs.insertMany(Array.from({ length: 1500 }, (_, n) => ({ n })));
    await docs.drop();
    expect(await docs.countDocuments()).toBe(0);
    await docs.insertOne({ n: 1 });
    expect(await docs.countDocuments()).toBe(1);
    expect((await db.listCollections().toArray()).map(({ name }) => name)).toEqual(['docs']);
    await db.dropDatabase();
    expect(await db.listCollections().toArray()).toEqual([]);
  });

  test('a pipeline writes into a collection, and merges into another', async () => {
    await docs.insertMany([
      { _id: 1, n: 1 },
      { _id: 2, n: 2 },
    ] as Document[]);
    await docs.aggregate([{ $match: { n: 2 } }, { $out: 'out' }]).toArray();
    expect(await db.collection('out').find().toArray()).toEqual([{ _id: 2, n: 2 }]);
    await docs.aggregate([{ $set: { m: { $add: ['$n', 1] } } }, { $merge: 'out' }]).toArray();
    expect(await db.collection('out').find().sort({ _id: 1 }).toArray()).toEqual([
      { _id: 1, n: 1, m: 2 },
      { _id: 2, n: 2, m: 3 },
    ]);
  });
});

describe('a long search', () => {
  test('is counted by a thread of its own, while others are answered', async () => {
    for (let k = 0; k < 6; k++)
      await docs.insertMany(Array.from({ length: 5000 }, (_, n) => ({ g: n % 10, text: `some words ${n}` })));
    // Where the search held up all others, at most one answer would come during each.
    let answers = 0;
    for (let n = 0; n < 10 && answers <= 5; n++) {
      answers = 0;
      let over = false;
      const searching = docs
        .aggregate([
          { $match: { text: /[02468]$/ } },
          { $group: { _id: '$g', n: { $sum: 1 } } },
          { $sort: { _id: 1 } },
        ])
        .toArray()
        .finally(() => {
          over = true;
        });
      for (; !over; answers++) await db.command({ ping: 1 });
      expect(await searching).toEqual([0, 2, 4, 6, 8].map((_id) => ({ _id, n: 3000 })));
    }
    expect(await docs.find({ text: /9$/ }).toArray()).toHaveLength(3000);
    const { executionStats } = await docs.find({ text: /9$/ }).explain('executionStats');
    expect(executionStats).toMatchObject({
      nReturned: 3000,
      totalKeysExamined: 0,
      totalDocsExamined: 30_000,
    });
    expect(answers).toBeGreaterThan(5);
  }, 60_000);
});

describe('mongoose', () => {
  test('finds its documents, versions, defaults and populated references', async () => {
    const connection = await mongoose.createConnection(engine.uri, { dbName: 'goose' }).asPromise();
    try {
      const Team = connection.model('Team', new Schema({ name: { type: String, unique: true } }));
      const User = connection.model(
        'User',
        new Schema(
          {
            name: String,
            team: { type: Schema.Types.ObjectId, ref: 'Team' },
            tags: [String],
            seen: { type: Map, of: Number },
          },
          { timestamps: true, optimisticConcurrency: true },
        ),
      );
      await Promise.all([Team.init(), User.init()]);
      const team = await Team.create({ name: 'support' });
      await expect(Team.create({ name: 'support' })).rejects.toMatchObject({ code: 11000 });
      const user = await User.create({ name: 'mei', team: team._id, tags: ['a'], seen: new Map([['x', 1]]) });
      const again = await User.findById(user._id);
      again?.tags.push('b');
      await again?.save();
      user.name = 'other';
      await expect(user.save()).rejects.toThrow(mongoose.Error.VersionError);
      const found = await User.findOne({ tags: 'b' }).populate<{ team: { name: string } }>('team');
      expect(found?.team.name).toBe('support');
      expect(await User.countDocuments({ 'seen.x': 1 })).toBe(1);
      expect(
        await User.bulkWrite([{ updateOne: { filter: { _id: user._id }, update: { $set: { name: 'x' } } } }]),
      ).toMatchObject({ modifiedCount: 1 });
      await connection.dropDatabase();
    } finally {
      await connection.close();
    }
  });
});

describe('supervised', () => {
  test('the engine is started again when it dies, and its clients go on', async () => {
    await docs.insertOne({ a: 1 });
    const before = engine.pid;
    process.kill(before as number, 'SIGKILL');
    for (let tries = 0; ; tries++) {
      try {
        expect(await docs.countDocuments()).toBe(1);
        break;
      } catch (error) {
        if (tries === 200) throw error;
      }
    }
    expect(engine.pid).not.toBe(before);
    expect(lines.some((line) => line.includes('starting it again'))).toBe(true);
  }, 60_000);
});
