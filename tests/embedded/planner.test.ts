// Whatever the indexes are, a search finds what a walk over all documents finds, in the same order.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type Catalogue,
  type Collection,
  create,
  drop,
  openCatalogue,
  saveCollection,
  takeId,
} from '../../src/embedded/catalogue.ts';
import { type Doc, decode, encode } from '../../src/embedded/documents.ts';
import { MongoFault } from '../../src/embedded/errors.ts';
import { count, read } from '../../src/embedded/finding.ts';
import { normalise } from '../../src/embedded/index-specs.ts';
import { prepareIndex } from '../../src/embedded/indexes.ts';
import { compileFilter } from '../../src/embedded/matching.ts';
import { compileSort } from '../../src/embedded/ordering.ts';
import { plan } from '../../src/embedded/planner.ts';
import { insertDoc, removeRecord, replaceRecord } from '../../src/embedded/records.ts';
import { openStorage, type Storage } from '../../src/embedded/storage.ts';
import { compileUpdate } from '../../src/embedded/updating.ts';

let folder: string;
let storage: Storage;
let catalogue: Catalogue;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'planner-'));
  storage = openStorage(folder);
  catalogue = openCatalogue(storage);
});

afterAll(async () => {
  await storage.close();
  rmSync(folder, { recursive: true });
});

const scalar = fc.oneof(
  fc.integer({ min: -2, max: 4 }),
  fc.constantFrom('a', 'b', 'ab', ''),
  fc.constantFrom(null, true, 1.5, 3n, new Date(5), Number.NaN),
);
const small = fc.dictionary(fc.constantFrom('x', 'y'), scalar, { maxKeys: 2, noNullPrototype: true });
const value = fc.oneof(
  { weight: 6, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  { weight: 1, arbitrary: small },
  { weight: 1, arbitrary: fc.array(fc.oneof(small, scalar), { maxLength: 3 }) },
);
const names = ['a', 'b', 'c'] as const;
const document = fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 3, noNullPrototype: true });

const path = fc.constantFrom('a', 'b', 'c', 'a.x', 'b.x', 'a.y', 'a.0');
const way = fc.constantFrom(1, -1);
const key = fc.uniqueArray(fc.tuple(path, way), { minLength: 1, maxLength: 3, selector: ([name]) => name });
const index = fc.record({
  key: key.map((entries) => Object.fromEntries(entries)),
  options: fc.constantFrom<Doc>(
    {},
    {},
    {},
    { sparse: true },
    { partialFilterExpression: { a: { $gt: 0 } } },
    { partialFilterExpression: { b: { $exists: true } } },
    { partialFilterExpression: { a: { $type: 'date' } } },
    { partialFilterExpression: { a: { $lte: 2 }, b: { $eq: 'a' } } },
    { collation: { locale: 'en', strength: 2 } },
  ),
});

const operator = fc.oneof(
  fc
    .tuple(fc.constantFrom('$eq', '$gt', '$gte', '$lt', '$lte', '$ne'), scalar)
    .map(([name, each]) => ({ [name]: each })),
  fc.tuple(scalar, scalar).map(([low, high]) => ({ $gte: low, $lt: high })),
  fc.array(scalar, { maxLength: 4 }).map((values) => ({ $in: values })),
  fc.array(scalar, { maxLength: 2 }).map((values) => ({ $nin: values })),
  fc.boolean().map((there) => ({ $exists: there })),
  fc.constantFrom(
    { $regex: '^a' },
    { $regex: 'b$' },
    { $size: 1 },
    { $type: 'string' },
    { $type: 'date' },
    { $type: 'number' },
    { $type: 'int' },
    { $not: { $gt: 1 } },
  ),
  fc.array(scalar, { minLength: 1, maxLength: 2 }).map((values) => ({ $all: values })),
  fc.tuple(fc.constantFrom('$gt', '$lte'), scalar).map(([name, each]) => ({ $elemMatch: { [name]: each } })),
  fc.tuple(scalar, scalar).map(([x, y]) => ({ $elemMatch: { x, y } })),
);
const condition = fc
  .tuple(path, fc.oneof(operator, value, scalar))
  .map(([name, spec]): Doc => ({ [name]: spec }));
const filter = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.array(condition, { maxLength: 3 }).map((all): Doc => Object.assign({}, ...all)),
  },
  {
    weight: 1,
    arbitrary: fc.array(condition, { minLength: 1, maxLength: 3 }).map((all): Doc => ({ $and: all })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(condition, { minLength: 1, maxLength: 3 }), fc.array(condition, { maxLength: 1 }))
      .map(([either, rest]): Doc => Object.assign({ $or: either }, ...rest)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.array(condition, { minLength: 1, maxLength: 3 }),
        fc.array(condition, { minLength: 1, maxLength: 2 }),
      )
      .map(([either, others]): Doc => ({ $and: [...others, { $or: either }, { $or: others }] })),
  },
);
/** Conditions on one array, each to be met by some element, beside another field's. */
const several = fc
  .tuple(
    fc.constantFrom('a', 'b', 'a.x'),
    fc.array(fc.array(scalar, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 3 }),
    fc.array(condition, { maxLength: 1 }),
  )
  .map(
    ([name, sets, [other = {}]]): Doc => ({
      ...other,
      $and: sets.map((values) => ({ [name]: values.length > 1 ? { $in: values } : values[0] })),
    }),
  );
const listed = fc.array(scalar, { minLength: 1, maxLength: 4 });
const withLists = fc.record(
  { a: fc.oneof(listed, scalar), b: fc.oneof(listed, scalar, value), c: scalar },
  { noNullPrototype: true },
);
const listIndex = fc
  .constantFrom<Doc>(
    { a: 1 },
    { c: 1, a: -1 },
    { a: 1, c: -1 },
    { b: 1, c: 1 },
    { c: 1, b: 1, 'd.y': 1 },
    { 'a.x': 1 },
  )
  .map((key) => ({ key, options: {} }));
const sort = fc.option(
  fc
    .uniqueArray(fc.tuple(path, way), { minLength: 1, maxLength: 2, selector: ([name]) => name })
    .map((entries): Doc => Object.fromEntries(entries)),
  { nil: undefined },
);

/** Documents that an index refuses are left out, as their writer would be told. */
async function collectionWith(docs: Doc[], specs: { key: Doc; options: Doc }[]): Promise<Collection> {
  let made: Collection | undefined;
  await storage.transact(() => {
    const c = create(catalogue, 'test', 'c');
    for (const [i, { key: wanted, options }] of specs.entries()) {
      const spec = normalise(c, { key: wanted, name: `i${i}`, ...options });
      c.indexes.push(
        prepareIndex(
          takeId(catalogue),
          spec,
          Object.keys(wanted).map(() => false),
          false,
        ),
      );
    }
    saveCollection(catalogue, c);
    for (const [_id, doc] of docs.entries()) attempt(() => insertDoc(catalogue, c, { _id, ...doc }));
    made = c;
  });
  return made as Collection;
}

function attempt(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof MongoFault)) throw error;
  }
}

const all = (c: Collection): { record: number; doc: Doc; raw: Buffer }[] =>
  [...read(storage, c, { filter: {}, env: {} })].map(({ record, raw }) => ({
    record,
    raw,
    doc: decode(raw),
  }));

function compareWithWalk(c: Collection, wanted: Doc, order: Doc | undefined): void {
  const matches = compileFilter(wanted);
  const expected = all(c)
    .map(({ doc }) => doc)
    .filter(matches);
  const question = { filter: wanted, sort: order, env: {} };
  const found = [...read(storage, c, question)].map(({ raw }) => decode(raw));
  const ids = (docs: Doc[]) => docs.map(({ _id }) => Number(_id)).sort((a, b) => a - b);
  expect({ wanted, plan: plan(storage, c, question).kind, ids: ids(found) }).toEqual({
    wanted,
    plan: plan(storage, c, question).kind,
    ids: ids(expected),
  });
  expect(count(storage, c, { filter: wanted, env: {} })).toBe(expected.length);
  expect(count(storage, c, { filter: wanted, env: {}, skip: 1, limit: 2 })).toBe(
    Math.min(3, expected.length),
  );
  if (!order) return;
  const ordering = compileSort(order);
  const keys = found.map((doc) => ordering.keyOf(doc));
  for (let i = 1; i < keys.length; i++)
    expect(ordering.compareKeys(keys[i - 1] as unknown[], keys[i] as unknown[])).toBeLessThanOrEqual(0);
}

async function withCollection(
  docs: Doc[],
  specs: { key: Doc; options: Doc }[],
  work: (c: Collection) => Promise<void> | void,
): Promise<void> {
  const c = await collectionWith(docs, specs);
  try {
    await work(c);
  } finally {
    await storage.transact(() => drop(catalogue, c));
  }
}

describe('a search', () => {
  test('finds by any index what a walk over everything finds, in the order asked for', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(document, { maxLength: 25 }),
        fc.array(index, { maxLength: 4 }),
        fc.array(fc.tuple(filter, sort), { minLength: 1, maxLength: 8 }),
        (docs, specs, questions) =>
          withCollection(docs, specs, (c) => {
            for (const [wanted, order] of questions) compareWithWalk(c, wanted, order);
          }),
      ),
      { numRuns: 250 },
    );
  }, 120_000);

  test('finds what has several values by keys alone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(withLists, { minLength: 5, maxLength: 25 }),
        fc.array(listIndex, { minLength: 1, maxLength: 3 }),
        fc.array(fc.tuple(several, sort), { minLength: 1, maxLength: 8 }),
        (docs, specs, questions) =>
          withCollection(docs, specs, (c) => {
            for (const [wanted, order] of questions) compareWithWalk(c, wanted, order);
          }),
      ),
      { numRuns: 250 },
    );
  }, 120_000);

  test('asks for an element of an array also where the same array must hold a value', async () => {
    const docs = [{ a: [0] }, { a: [0, { x: 1 }] }];
    await withCollection(docs, [{ key: { a: 1 }, options: {} }], (c) => {
      compareWithWalk(c, { a: { $elemMatch: { x: 1 } }, $and: [{ a: 0 }, { a: 0 }] }, undefined);
      compareWithWalk(c, { a: { $elemMatch: { x: null } }, $and: [{ a: 0 }] }, undefined);
    });
  });

  test('still does after documents were changed and removed', async () => {
    const update = fc.oneof(
      fc.tuple(fc.constantFrom(...names), value).map(([name, each]): Doc => ({ $set: { [name]: each } })),
      fc.constantFrom<Doc>({ $unset: { a: 1 } }, { $push: { b: 1 } }, { $inc: { c: 1 } }, { $pop: { a: 1 } }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(document, { minLength: 1, maxLength: 12 }),
        fc.array(index, { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(fc.nat(11), fc.option(update)), { maxLength: 10 }),
        fc.array(filter, { minLength: 1, maxLength: 5 }),
        (docs, specs, changes, questions) =>
          withCollection(docs, specs, async (c) => {
            await storage.transact(() => {
              for (const [at, change] of changes) {
                const row = all(c)[at];
                if (!row) continue;
                if (!change) removeRecord(catalogue, c, row.record, row.raw);
                else
                  attempt(() => {
                    const next = compileUpdate(change, { filter: {}, now: new Date() }).apply(row.doc);
                    if (next) replaceRecord(catalogue, c, row.record, row.doc, next, encode(next));
                  });
              }
            });
            for (const wanted of questions) compareWithWalk(c, wanted, undefined);
            const left = all(c).length;
            expect(c.count).toBe(left);
            expect(
              storage.count({
                low: c.indexes[0]?.prefix as Buffer,
                high: Buffer.concat([c.indexes[0]?.prefix as Buffer, Buffer.alloc(9, 255)]),
              }),
            ).toBe(left);
          }),
      ),
      { numRuns: 150 },
    );
  }, 120_000);
});
