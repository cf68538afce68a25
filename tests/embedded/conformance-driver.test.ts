// What the bare driver sees of the database. All of it holds on a real MongoDB too: give MONGODB_URI, and see.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';

const { MongoClient, ObjectId, Double, Long, Decimal128, Binary, Timestamp, MinKey, MaxKey, BSONRegExp } =
  mongoose.mongo;
type Document = mongoose.mongo.Document;

const client = new MongoClient(process.env.TEST_MONGODB_URI ?? '', { retryWrites: false });
const db = client.db(`conformance-driver-${process.pid}`);
const c = db.collection<Document & { _id: unknown }>('things');

const insert = (...docs: Document[]): Promise<unknown> => c.insertMany(docs as never[]);
const find = (filter: Document, options = {}): Promise<Document[]> =>
  c.find(filter as never, options).toArray();
const ids = async (filter: Document, options = {}): Promise<unknown[]> =>
  (await find(filter, options)).map((doc) => doc._id);

beforeAll(async () => {
  await client.connect();
});
beforeEach(async () => {
  await db.dropDatabase();
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

describe('documents', () => {
  test('come back as they went, type by type', async () => {
    const doc = {
      _id: new ObjectId(),
      int: 1,
      double: new Double(1),
      long: Long.fromString('9007199254740993'),
      decimal: Decimal128.fromString('1.10'),
      binary: new Binary(Buffer.from('x'), 5),
      timestamp: new Timestamp({ t: 1, i: 2 }),
      regex: new BSONRegExp('^a', 'i'),
      min: new MinKey(),
      max: new MaxKey(),
      date: new Date(5),
      nil: null,
      nested: { list: [1, [2], { a: 'ü' }] },
    };
    await insert(doc);
    const [found] = await find({}, { promoteValues: false, bsonRegExp: true });
    expect(mongoose.mongo.BSON.EJSON.stringify(found, { relaxed: false })).toBe(
      mongoose.mongo.BSON.EJSON.stringify(doc, { relaxed: false }),
    );
    const typed = (path: string, type: string): Promise<unknown[]> => ids({ [path]: { $type: type } });
    expect(await typed('double', 'double')).toHaveLength(1);
    expect(await typed('long', 'long')).toHaveLength(1);
    await c.updateOne({}, { $inc: { int: 1 } });
    expect(await typed('double', 'double')).toHaveLength(1);
  });

  test('have an _id that is theirs alone', async () => {
    await insert({ _id: 1 });
    await expect(insert({ _id: 1 })).rejects.toMatchObject({ code: 11000 });
    await expect(insert({ _id: [1] })).rejects.toMatchObject({ code: 53 });
  });

  test('inserted unordered all arrive but the one that cannot', async () => {
    const error = await c
      .insertMany([{ _id: 1 }, { _id: 1 }, { _id: 2 }] as never[], { ordered: false })
      .catch((refused) => refused);
    expect(error.writeErrors).toHaveLength(1);
    expect(error.writeErrors[0].index).toBe(1);
    expect(await ids({})).toEqual([1, 2]);
  });
});

describe('searches', () => {
  test('come sorted, skipped, limited and projected, in batches', async () => {
    await insert(...Array.from({ length: 250 }, (_, i) => ({ _id: i, n: (i * 7) % 250, odd: i % 2 === 1 })));
    const page = await find(
      { odd: true },
      { sort: { n: -1 }, skip: 2, limit: 3, projection: { n: 1, _id: 0 } },
    );
    expect(page).toEqual([{ n: 245 }, { n: 243 }, { n: 241 }]);
    const all = await find({}, { batchSize: 40, sort: { _id: 1 } });
    expect(all.map((doc) => doc._id)).toEqual(Array.from({ length: 250 }, (_, i) => i));
    expect(await c.countDocuments({ odd: true })).toBe(125);
    expect(await c.estimatedDocumentCount()).toBe(250);
  });

  test('say the same with an index as without', async () => {
    await insert(
      { _id: 1, a: [1, 5] },
      { _id: 2, a: null },
      { _id: 3 },
      { _id: 4, a: 3 },
      { _id: 5, a: 'x' },
      { _id: 6, a: [] },
    );
    const filters: Document[] = [
      { a: null },
      { a: { $gt: 2 } },
      { a: { $ne: 5 } },
      { a: { $in: [null, 'x'] } },
      { a: { $exists: false } },
      { a: { $gte: 2, $lte: 4 } },
      { a: [] },
      { a: { $not: { $gt: 1 } } },
    ];
    const ask = (): Promise<unknown[][]> =>
      Promise.all(filters.map((filter) => ids(filter, { sort: { _id: 1 } })));
    const before = await ask();
    expect(before).toEqual([[2, 3], [1, 4], [2, 3, 4, 5, 6], [2, 3, 5], [3], [1, 4], [6], [2, 3, 5, 6]]);
    await c.createIndex({ a: 1 });
    expect(await ask()).toEqual(before);
    await c.dropIndexes();
    await c.createIndex({ a: -1, _id: 1 });
    expect(await ask()).toEqual(before);
  });

  test('by distinct give the values and the elements', async () => {
    await insert({ a: [1, 2] }, { a: 2 }, { a: null }, { b: 1 });
    expect(await c.distinct('a')).toEqual([null, 1, 2]);
  });

  test('by text find words and rank them', async () => {
    await c.createIndex({ title: 'text', body: 'text' }, { weights: { title: 5 } });
    await insert(
      { _id: 1, title: 'Printer', body: 'jams' },
      { _id: 2, title: 'Other', body: 'the printers' },
      { _id: 3, title: 'x' },
    );
    const score = { $meta: 'textScore' };
    expect(await ids({ $text: { $search: 'printer' } }, { sort: { score }, projection: { score } })).toEqual([
      1, 2,
    ]);
    expect(await ids({ $text: { $search: 'printer -jams' } })).toEqual([2]);
  });

  test('by text within what another field of the index says', async () => {
    await c.createIndex({ desk: 1, title: 'text' });
    await insert({ _id: 1, desk: 'it', title: 'printer' }, { _id: 2, desk: 'hr', title: 'printer' });
    expect(await ids({ desk: 'hr', $text: { $search: 'printers' } })).toEqual([2]);
    expect((await c.indexes())[1]).toMatchObject({
      key: { desk: 1, _fts: 'text', _ftsx: 1 },
      weights: { title: 1 },
    });
  });

  test('compare by a collation', async () => {
    await insert({ _id: 1, a: 'MEI' }, { _id: 2, a: 'mei' }, { _id: 3, a: 'x' });
    expect(await ids({ a: 'mei' }, { collation: { locale: 'en', strength: 2 }, sort: { _id: 1 } })).toEqual([
      1, 2,
    ]);
  });
});

describe('writes', () => {
  test('report what they matched and what they changed', async () => {
    await insert({ _id: 1, n: 1 }, { _id: 2, n: 1 }, { _id: 3, n: 2 });
    expect(await c.updateMany({ n: { $lte: 2 } }, { $max: { n: 2 } })).toMatchObject({
      matchedCount: 3,
      modifiedCount: 2,
    });
    expect(await c.updateOne({ _id: 9 } as never, { $set: { n: 1 } }, { upsert: true })).toMatchObject({
      upsertedCount: 1,
      upsertedId: 9,
    });
    expect(await c.replaceOne({ _id: 1 } as never, { x: 1 })).toMatchObject({ modifiedCount: 1 });
    expect(await find({ _id: 1 })).toEqual([{ _id: 1, x: 1 }]);
    expect(await c.deleteMany({ n: 2 })).toMatchObject({ deletedCount: 2 });
  });

  test('of findOneAndUpdate give the document before or after', async () => {
    await insert({ _id: 1, n: 1, p: 2 }, { _id: 2, n: 1, p: 1 });
    const first = { sort: { p: 1 } } as const;
    expect(await c.findOneAndUpdate({ n: 1 }, { $inc: { n: 1 } }, first)).toEqual({ _id: 2, n: 1, p: 1 });
    expect(
      await c.findOneAndUpdate({ _id: 2 } as never, [{ $set: { n: { $add: ['$n', 5] } } }], {
        returnDocument: 'after',
      }),
    ).toMatchObject({ n: 7 });
    expect(await c.findOneAndDelete({ n: 7 }, { projection: { _id: 1 } })).toEqual({ _id: 2 });
    expect(await c.findOneAndUpdate({ n: 99 }, { $set: { a: 1 } })).toBeNull();
  });

  test('of many at once to one counter lose none', async () => {
    await insert({ _id: 'counter', n: 0 });
    const seen = await Promise.all(
      Array.from({ length: 60 }, () =>
        c.findOneAndUpdate({ _id: 'counter' } as never, { $inc: { n: 1 } }, { returnDocument: 'after' }),
      ),
    );
    expect(new Set(seen.map((doc) => doc?.n)).size).toBe(60);
  });

  test('in bulk go in order and stop at a fault', async () => {
    const error = await c
      .bulkWrite([
        { insertOne: { document: { _id: 1 } as never } },
        { updateOne: { filter: { _id: 1 } as never, update: { $set: { a: 1 } } } },
        { insertOne: { document: { _id: 1 } as never } },
        { deleteOne: { filter: { _id: 1 } as never } },
      ])
      .catch((refused) => refused);
    expect(error).toMatchObject({
      code: 11000,
      result: { insertedCount: 1, modifiedCount: 1, deletedCount: 0 },
    });
    expect(await find({})).toEqual([{ _id: 1, a: 1 }]);
  });

  test('what is looked for without an index is looked for beside the writes, and changed once', async () => {
    const text = 'x'.repeat(900);
    for (let k = 0; k < 5; k++)
      await insert(...Array.from({ length: 4000 }, (_, n) => ({ n: k * 4000 + n, text })));
    const [none, , , made, last, ...claims] = await Promise.all([
      c.updateOne({ none: 1 }, { $set: { n: -1 } }),
      c.updateMany({ none: 1 }, { $set: { n: -1 } }),
      c.deleteMany({ none: 1 }),
      c.updateOne({ other: 1 }, { $set: { made: true } }, { upsert: true }),
      c.findOneAndUpdate({ text }, { $inc: { seen: 1 } }, { sort: { n: -1 }, returnDocument: 'after' }),
      ...Array.from({ length: 3 }, (_, who) => c.updateOne({ n: 19_990, who: null }, { $set: { who } })),
    ]);
    expect([none.matchedCount, made.upsertedCount]).toEqual([0, 1]);
    expect(last).toMatchObject({ n: 19_999, seen: 1 });
    expect(claims.reduce((sum, { modifiedCount }) => sum + modifiedCount, 0)).toBe(1);
  }, 60_000);

  test.each<[string, Document, number]>([
    ['an unknown operator', { $foo: { a: 1 } }, 9],
    ['two writes to one path', { $set: { a: 1 }, $inc: { a: 1 } }, 40],
    ['another _id', { $set: { _id: 2 } }, 66],
    ['an increment of a text', { $inc: { s: 1 } }, 14],
    ['a push to a text', { $push: { s: 1 } }, 2],
    ['a path through a text', { $set: { 's.x': 1 } }, 28],
  ])('with %s are refused', async (_what, update, code) => {
    await insert({ _id: 1, s: 'x' });
    await expect(c.updateOne({}, update)).rejects.toMatchObject({ code });
  });
});

describe('indexes', () => {
  test('keep values unique, but for those that a partial or sparse one leaves out', async () => {
    await c.createIndex({ a: 1 }, { unique: true, sparse: true });
    await c.createIndex({ b: 1 }, { unique: true, partialFilterExpression: { b: { $type: 'string' } } });
    await insert({ a: 1 }, { b: null }, { b: null }, { a: 2, b: 'x' });
    const refused = await insert({ a: 2 }).then(String, (error: Error) => error);
    expect(refused).toMatchObject({ code: 11000 });
    expect(String(refused)).toContain('E11000 duplicate key error collection');
    expect(String(refused)).toContain('index: a_1 dup key: { a: 2 }');
    await expect(insert({ b: 'x' })).rejects.toMatchObject({ code: 11000 });
    await expect(c.updateOne({ a: 1 }, { $set: { a: 2 } })).rejects.toMatchObject({ code: 11000 });
  });

  test('cannot be made unique over what is not', async () => {
    await insert({ a: 1 }, { a: 1 });
    await expect(c.createIndex({ a: 1 }, { unique: true })).rejects.toMatchObject({ code: 11000 });
  });

  test('are listed, hinted, explained and dropped', async () => {
    await insert({ a: 1, b: 1 });
    expect(await c.createIndex({ a: 1, b: -1 })).toBe('a_1_b_-1');
    expect((await c.indexes()).map((index) => index.name)).toEqual(['_id_', 'a_1_b_-1']);
    expect(JSON.stringify(await c.find({ a: 1 }).sort({ b: 1 }).explain())).toContain('a_1_b_-1');
    expect(await find({ a: 1 }, { hint: 'a_1_b_-1' })).toHaveLength(1);
    await expect(find({ a: 1 }, { hint: 'none' })).rejects.toMatchObject({ code: 2 });
    await c.dropIndex('a_1_b_-1');
    await expect(c.dropIndex('a_1_b_-1')).rejects.toMatchObject({ code: 27 });
    await expect(c.dropIndex('_id_')).rejects.toMatchObject({ code: 72 });
  });
});

describe('pipelines', () => {
  test('group, join, bucket and merge', async () => {
    await insert({ _id: 1, desk: 'it', h: 2 }, { _id: 2, desk: 'hr', h: 3 }, { _id: 3, desk: 'it', h: 5 });
    await db.collection<Document>('desks').insertMany([
      { _id: 'it', name: 'IT' },
      { _id: 'hr', name: 'HR' },
    ] as never[]);
    const joined = { $lookup: { from: 'desks', localField: '_id', foreignField: '_id', as: 'desk' } };
    const stages = [
      { $group: { _id: '$desk', hours: { $sum: '$h' } } },
      joined,
      { $set: { name: { $first: '$desk.name' } } },
      { $unset: 'desk' },
      { $sort: { hours: -1 } },
    ];
    expect(await c.aggregate(stages).toArray()).toEqual([
      { _id: 'it', hours: 7, name: 'IT' },
      { _id: 'hr', hours: 3, name: 'HR' },
    ]);
    await c.aggregate([...stages, { $merge: { into: 'report' } }]).toArray();
    await c
      .aggregate([
        ...stages,
        {
          $merge: { into: 'report', whenMatched: [{ $set: { hours: { $add: ['$hours', '$$new.hours'] } } }] },
        },
      ])
      .toArray();
    expect(await db.collection('report').find().sort({ hours: -1 }).toArray()).toEqual([
      { _id: 'it', hours: 14, name: 'IT' },
      { _id: 'hr', hours: 6, name: 'HR' },
    ]);
  });

  test('merge with variables of their own, and with no option that does not exist', async () => {
    await insert({ _id: 1, n: 1 }, { _id: 2, n: 2 });
    await c.aggregate([{ $set: { m: { $add: ['$n', 1] } } }, { $merge: 'out' }]).toArray();
    const bound = {
      into: 'out',
      let: { more: '$n' },
      whenMatched: [{ $set: { m: { $add: ['$m', '$$more'] } } }],
    };
    await c.aggregate([{ $merge: bound as never }]).toArray();
    expect((await db.collection('out').find().sort({ _id: 1 }).toArray()).map(({ m }) => m)).toEqual([3, 5]);
    for (const wrong of [{ whenMatched: 'perhaps' }, { whenNotMatched: 'perhaps' }, { perhaps: 1 }])
      await expect(c.aggregate([{ $merge: { into: 'out', ...wrong } as never }]).toArray()).rejects.toThrow(
        /merge/,
      );
  });

  test('write their result into another collection', async () => {
    await insert({ _id: 1, a: 1 }, { _id: 2, a: 2 });
    await c.aggregate([{ $match: { a: 2 } }, { $out: 'copy' }]).toArray();
    expect(await db.collection('copy').find().toArray()).toEqual([{ _id: 2, a: 2 }]);
  });

  test('of an unknown stage are refused', async () => {
    await expect(c.aggregate([{ $foo: 1 }]).toArray()).rejects.toMatchObject({ code: 40324 });
  });
});

describe('what needs no collection of its own', () => {
  const namespace = `${db.databaseName}.things`;

  test('a bulk write of the client goes to several collections, and stops at the first fault when it is ordered', async () => {
    await insert({ _id: 1, n: 1 }, { _id: 2, n: 2 });
    const made = await client.bulkWrite([
      { namespace, name: 'updateMany', filter: {}, update: { $inc: { n: 1 } } },
      { namespace, name: 'deleteOne', filter: { _id: 2 } },
      { namespace, name: 'replaceOne', filter: { _id: 3 }, replacement: { n: 9 }, upsert: true },
      { namespace: `${db.databaseName}.others`, name: 'insertOne', document: { _id: 4 } },
    ] as never);
    expect(made).toMatchObject({ insertedCount: 1, modifiedCount: 2, deletedCount: 1, upsertedCount: 1 });
    expect(await find({}, { sort: { _id: 1 } })).toEqual([
      { _id: 1, n: 2 },
      { _id: 3, n: 9 },
    ]);
    expect(await db.collection('others').countDocuments()).toBe(1);
    const twice = [4, 4, 5].map((_id) => ({ namespace, name: 'insertOne', document: { _id } }));
    await expect(client.bulkWrite(twice as never)).rejects.toMatchObject({
      partialResult: { insertedCount: 1 },
    });
    await expect(client.bulkWrite(twice as never, { ordered: false })).rejects.toMatchObject({
      partialResult: { insertedCount: 1 },
    });
    expect(await ids({ _id: { $gt: 3 } })).toEqual([4, 5]);
  });

  test('an aggregation begins with the documents that it is given', async () => {
    const given = db.aggregate([{ $documents: [{ a: 1 }, { a: 2 }] }, { $match: { a: 2 } }]);
    expect(await given.toArray()).toEqual([{ a: 2 }]);
  });
});
