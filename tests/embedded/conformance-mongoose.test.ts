// The behaviours of mongoose that we rely on, asked of the database that runs. They hold on a real MongoDB too.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import mongoose, { Schema } from 'mongoose';

const connection = mongoose.createConnection(process.env.TEST_MONGODB_URI ?? '', {
  dbName: `conformance-mongoose-${process.pid}`,
  retryWrites: false,
});

const Person = connection.model(
  'Person',
  new Schema(
    { name: { type: String, required: true }, email: { type: String, unique: true, sparse: true } },
    { timestamps: true },
  ),
);
const Ticket = connection.model(
  'Ticket',
  new Schema(
    {
      number: { type: Number, required: true },
      title: String,
      status: { type: String, enum: ['open', 'closed'], default: 'open' },
      requester: { type: Schema.Types.ObjectId, ref: 'Person' },
      watchers: [{ type: Schema.Types.ObjectId, ref: 'Person' }],
      comments: [{ text: String, likes: { type: Number, default: 0 } }],
      fields: { type: Map, of: Schema.Types.Mixed },
      nested: { deep: { value: Number } },
      secret: { type: String, select: false },
    },
    { timestamps: true, optimisticConcurrency: true, minimize: true },
  ).index({ status: 1, number: -1 }),
);
const Base = connection.model('Event', new Schema({ at: Date }, { discriminatorKey: 'kind' }));
const Moved = Base.discriminator('Moved', new Schema({ from: String, to: String }));

beforeAll(async () => {
  await connection.asPromise();
});
beforeEach(async () => {
  await connection.dropDatabase();
  await Promise.all([Person.init(), Ticket.init()]);
  await Person.syncIndexes();
});
afterAll(async () => {
  await connection.dropDatabase();
  await connection.close();
});

describe('a model', () => {
  test('casts, fills in, stamps and validates what it saves', async () => {
    const ticket = await new Ticket().set({ number: '7', title: 'x' }).save();
    expect(ticket).toMatchObject({ number: 7, status: 'open' });
    expect(ticket.createdAt).toBeInstanceOf(Date);
    await expect(new Ticket({ number: 1 }).set('status', 'lost').save()).rejects.toThrow(
      /is not a valid enum value/,
    );
    expect(await Ticket.countDocuments()).toBe(1);
  });

  test('makes its indexes, and finds them in order afterwards', async () => {
    await Ticket.syncIndexes();
    expect(await Ticket.diffIndexes()).toEqual({ toDrop: [], toCreate: [] });
    expect((await Ticket.listIndexes()).map((index) => index.name)).toContain('status_1_number_-1');
  });

  test('meets a unique index', async () => {
    await Person.create({ name: 'Mei', email: 'mei@example.com' });
    await Person.create([{ name: 'A' }, { name: 'B' }]);
    await expect(Person.create({ name: 'Other', email: 'mei@example.com' })).rejects.toMatchObject({
      code: 11000,
      keyValue: { email: 'mei@example.com' },
    });
  });

  test('saves only what changed, element by element', async () => {
    const ticket = await Ticket.create({
      number: 1,
      comments: [{ text: 'a' }, { text: 'b' }],
      fields: { x: 1 },
    });
    ticket.comments[1]?.set('likes', 3);
    ticket.comments.push({ text: 'c' });
    ticket.fields?.set('y', { z: 2 });
    ticket.set('nested.deep.value', 5);
    await ticket.save();
    const found = await Ticket.findById(ticket._id).lean();
    expect(found?.comments.map(({ text, likes }) => [text, likes])).toEqual([
      ['a', 0],
      ['b', 3],
      ['c', 0],
    ]);
    expect(found).toMatchObject({ fields: { x: 1, y: { z: 2 } }, nested: { deep: { value: 5 } } });
    ticket.comments.pull(ticket.comments[0]);
    ticket.set('title', undefined);
    await ticket.save();
    expect(await Ticket.findById(ticket._id).lean()).toMatchObject({
      comments: [{ text: 'b' }, { text: 'c' }],
    });
  });

  test('refuses to save over a change that it has not seen', async () => {
    const { _id } = await Ticket.create({ number: 1 });
    const [one, two] = await Promise.all([Ticket.findById(_id), Ticket.findById(_id)]);
    await one?.set('title', 'first').save();
    await expect(two?.set('title', 'second').save()).rejects.toThrow(mongoose.Error.VersionError);
  });

  test('populates references, one and many', async () => {
    const mei = await Person.create({ name: 'Mei' });
    const kai = await Person.create({ name: 'Kai' });
    await Ticket.create({ number: 1, requester: mei._id, watchers: [mei._id, kai._id] });
    const ticket = await Ticket.findOne({ number: 1 }).populate('requester', 'name').populate('watchers');
    expect(ticket).toMatchObject({
      requester: { name: 'Mei' },
      watchers: [{ name: 'Mei' }, { name: 'Kai' }],
    });
  });

  test('leaves out what is not to be selected', async () => {
    await Ticket.create({ number: 1, secret: 's', title: 't' });
    expect((await Ticket.findOne({}))?.secret).toBeUndefined();
    expect((await Ticket.findOne({}).select('+secret'))?.secret).toBe('s');
    expect(Object.keys((await Ticket.findOne({}).select('title -_id').lean()) ?? {})).toEqual(['title']);
  });

  test('keeps kinds of one thing in one collection', async () => {
    await Base.create({ at: new Date() });
    await Moved.create({ at: new Date(), from: 'a', to: 'b' });
    expect(await Moved.countDocuments()).toBe(1);
    expect(await Base.countDocuments()).toBe(2);
    expect(await Base.findOne({ kind: 'Moved' })).toBeInstanceOf(Moved);
  });
});

describe('a query', () => {
  beforeEach(async () => {
    await Ticket.insertMany(
      Array.from({ length: 30 }, (_, i) => ({
        number: i,
        status: i % 3 ? 'open' : 'closed',
        title: `Ticket ${i}`,
      })),
    );
  });

  test('chains conditions, order and pages', async () => {
    const page = await Ticket.find({ status: 'open' })
      .where('number')
      .gte(10)
      .lt(20)
      .sort('-number')
      .skip(1)
      .limit(3);
    expect(page.map((ticket) => ticket.number)).toEqual([17, 16, 14]);
    expect(await Ticket.find({ $or: [{ number: 1 }, { title: /^Ticket 2\d/ }] }).countDocuments()).toBe(11);
  });

  test('walks by a cursor', async () => {
    const seen: number[] = [];
    for await (const ticket of Ticket.find().sort({ number: 1 }).batchSize(7).lean().cursor())
      seen.push(ticket.number);
    expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  test('claims one document atomically, as often as there are', async () => {
    const claims = await Promise.all(
      Array.from({ length: 40 }, () =>
        Ticket.findOneAndUpdate(
          { status: 'open' },
          { status: 'closed' },
          { returnDocument: 'after', sort: { number: 1 } },
        ),
      ),
    );
    const claimed = claims.flatMap((ticket) => ticket?.number ?? []);
    expect(new Set(claimed).size).toBe(20);
    expect(claimed).toHaveLength(20);
  });

  test('upserts with what it says and the defaults', async () => {
    const made = await Ticket.findOneAndUpdate(
      { number: 99 },
      { $set: { title: 'new' }, $inc: { 'nested.deep.value': 2 } },
      { upsert: true, returnDocument: 'after', setDefaultsOnInsert: true },
    );
    expect(made).toMatchObject({ number: 99, title: 'new', status: 'open', nested: { deep: { value: 2 } } });
  });

  test('updates elements by position and by filter', async () => {
    await Ticket.updateOne({ number: 1 }, { $push: { comments: { $each: [{ text: 'a' }, { text: 'b' }] } } });
    await Ticket.updateOne({ number: 1, 'comments.text': 'b' }, { $inc: { 'comments.$.likes': 1 } });
    await Ticket.updateOne(
      { number: 1 },
      { $inc: { 'comments.$[old].likes': 10 } },
      { arrayFilters: [{ 'old.text': 'a' }] },
    );
    const ticket = await Ticket.findOne({ number: 1 });
    expect(ticket?.comments.map((comment) => comment.likes)).toEqual([10, 1]);
  });

  test('writes in bulk', async () => {
    const result = await Ticket.bulkWrite([
      { updateMany: { filter: { status: 'open' }, update: { $set: { title: 'o' } } } },
      { insertOne: { document: { number: 100 } } },
      { deleteMany: { filter: { number: { $lt: 3 } } } },
      { updateOne: { filter: { number: 200 }, update: { title: 'up' }, upsert: true } },
    ]);
    expect(result).toMatchObject({ modifiedCount: 20, insertedCount: 1, deletedCount: 3, upsertedCount: 1 });
  });

  test('aggregates', async () => {
    const rows = await Ticket.aggregate([
      { $match: { number: { $lt: 20 } } },
      { $group: { _id: '$status', n: { $sum: 1 }, last: { $max: '$number' } } },
      { $sort: { _id: 1 } },
    ]);
    expect(rows).toEqual([
      { _id: 'closed', n: 7, last: 18 },
      { _id: 'open', n: 13, last: 19 },
    ]);
  });

  test('counts days by a time zone', async () => {
    const rows = await Ticket.aggregate([
      {
        $group: {
          _id: { $dateToString: { date: '$createdAt', format: '%Y', timezone: 'Europe/Berlin' } },
          n: { $sum: 1 },
        },
      },
    ]);
    expect(rows).toEqual([{ _id: expect.stringMatching(/^\d{4}$/), n: 30 }]);
  });
});
