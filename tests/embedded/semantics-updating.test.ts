import { describe, expect, test } from '@jest/globals';
import { Decimal128, Double, ObjectId } from 'bson';
import fc from 'fast-check';
import type { Doc } from '../../src/embedded/documents.ts';
import { compileUpdate, type UpdateEnv } from '../../src/embedded/updating.ts';
import { clone, compare, identical } from '../../src/embedded/values.ts';
import { anyDocument, anyValue, name } from './values.ts';

const now = new Date('2026-01-02T03:04:05Z');

function update(doc: Doc, change: unknown, env: Partial<UpdateEnv> = {}): Doc | null {
  return compileUpdate(change, { filter: {}, now, ...env }).apply(doc);
}

describe('an update', () => {
  test.each<[string, Doc, Doc, Doc | null]>([
    ['sets', { a: 1 }, { $set: { a: 2, 'b.c': 3 } }, { a: 2, b: { c: 3 } }],
    ['changes nothing if all is as it was', { a: 1, b: [1] }, { $set: { a: 1, b: [1] } }, null],
    ['changes the type of a number', { a: 1 }, { $set: { a: new Double(1) } }, { a: new Double(1) }],
    ['adds fields in the order of their names', {}, { $set: { c: 1, a: 1, b: 1 } }, { a: 1, b: 1, c: 1 }],
    ['sets an element', { a: [1, 2] }, { $set: { 'a.1': 5 } }, { a: [1, 5] }],
    ['fills up to an element', { a: [1] }, { $set: { 'a.3': 5 } }, { a: [1, null, null, 5] }],
    ['unsets', { a: 1, b: { c: 1, d: 2 } }, { $unset: { a: '', 'b.c': 1 } }, { b: { d: 2 } }],
    ['leaves a null where an element was', { a: [1, 2] }, { $unset: { 'a.0': 1 } }, { a: [null, 2] }],
    ['unsets what is not there', { a: 1 }, { $unset: { b: 1, 'a.c': 1 } }, null],
    ['increments', { a: 1 }, { $inc: { a: 2, b: 5 } }, { a: 3, b: 5 }],
    ['grows an int32 to an int64', { a: 2147483647 }, { $inc: { a: 1 } }, { a: 2147483648n }],
    ['keeps an int64', { a: 1n }, { $inc: { a: 1 } }, { a: 2n }],
    ['makes a double of an int and a double', { a: 1 }, { $inc: { a: 0.5 } }, { a: 1.5 }],
    ['keeps a double', { a: new Double(1) }, { $inc: { a: 1 } }, { a: new Double(2) }],
    ['multiplies', { a: 3 }, { $mul: { a: 2, b: 5 } }, { a: 6, b: 0 }],
    ['takes the least', { a: 3 }, { $min: { a: 2, b: 5 } }, { a: 2, b: 5 }],
    ['leaves the least', { a: 3 }, { $min: { a: 4 } }, null],
    ['takes the greatest by type too', { a: 3 }, { $max: { a: 'x' } }, { a: 'x' }],
    ['renames', { a: 1, b: 2 }, { $rename: { a: 'c.d' } }, { b: 2, c: { d: 1 } }],
    ['renames onto another', { a: 1, b: 2 }, { $rename: { a: 'b' } }, { b: 1 }],
    ['writes the date', {}, { $currentDate: { a: true } }, { a: now }],
    ['does not set on insert when it updates', { a: 1 }, { $setOnInsert: { b: 1 } }, null],
    ['pushes', { a: [1] }, { $push: { a: [2], b: 1 } }, { a: [1, [2]], b: [1] }],
    [
      'pushes each, sorts and slices',
      { a: [3, 1] },
      { $push: { a: { $each: [2, 5], $sort: -1, $slice: 3 } } },
      { a: [5, 3, 2] },
    ],
    [
      'pushes at a place',
      { a: [1, 4] },
      { $push: { a: { $each: [2, 3], $position: 1 } } },
      { a: [1, 2, 3, 4] },
    ],
    [
      'pushes before the end',
      { a: [1, 4] },
      { $push: { a: { $each: [2], $position: -1 } } },
      { a: [1, 2, 4] },
    ],
    ['keeps the last', { a: [1, 2] }, { $push: { a: { $each: [], $slice: -1 } } }, { a: [2] }],
    [
      'sorts documents',
      { a: [{ n: 2 }, { n: 1 }] },
      { $push: { a: { $each: [], $sort: { n: 1 } } } },
      { a: [{ n: 1 }, { n: 2 }] },
    ],
    [
      'adds to a set',
      { a: [1, { x: 1 }] },
      { $addToSet: { a: { $each: [1n, 2, { x: 1 }, 2] } } },
      { a: [1, { x: 1 }, 2] },
    ],
    ['pops the last', { a: [1, 2, 3] }, { $pop: { a: 1 } }, { a: [1, 2] }],
    ['pops the first', { a: [1, 2, 3] }, { $pop: { a: -1 } }, { a: [2, 3] }],
    ['pulls a value', { a: [1, 2, 1] }, { $pull: { a: 1 } }, { a: [2] }],
    ['pulls by a condition', { a: [1, 5, 9] }, { $pull: { a: { $gt: 4 } } }, { a: [1] }],
    [
      'pulls documents by a filter',
      { a: [{ b: 1, c: 1 }, { b: 2 }] },
      { $pull: { a: { b: 1 } } },
      { a: [{ b: 2 }] },
    ],
    ['pulls all', { a: [1, 2, 3] }, { $pullAll: { a: [1, 3] } }, { a: [2] }],
    ['combines bits', { a: 13 }, { $bit: { a: { and: 10 }, b: { or: 4 } } }, { a: 8, b: 4 }],
    [
      'takes any name as a name',
      {},
      { $set: { 'constructor.prototype.x': 1 } },
      { constructor: { prototype: { x: 1 } } },
    ],
  ])('%s', (_what, before, change, after) => {
    const result = update({ _id: 1, ...before }, change);
    if (after === null) expect(result).toBeNull();
    else {
      expect(identical(result, { _id: 1, ...after })).toBe(true);
      expect(Object.keys(result ?? {})).toEqual(['_id', ...Object.keys(after)]);
    }
  });

  test.each<[string, Doc, Doc, Doc, unknown[] | undefined, Doc]>([
    [
      'the element that matched',
      { 'a.b': 2 },
      { a: [{ b: 1 }, { b: 2 }] },
      { $set: { 'a.$.c': 9 } },
      undefined,
      { a: [{ b: 1 }, { b: 2, c: 9 }] },
    ],
    [
      'the element that matched $elemMatch',
      { a: { $elemMatch: { $gt: 1, $lt: 3 } } },
      { a: [5, 2] },
      { $inc: { 'a.$': 1 } },
      undefined,
      { a: [5, 3] },
    ],
    [
      'the element found by an $and',
      { $and: [{ x: 1 }, { a: { $in: [7] } }] },
      { x: 1, a: [5, 7] },
      { $set: { 'a.$': 0 } },
      undefined,
      { x: 1, a: [5, 0] },
    ],
    ['every element', {}, { a: [1, 2] }, { $mul: { 'a.$[]': 10 } }, undefined, { a: [10, 20] }],
    [
      'elements by filter',
      {},
      { a: [{ n: 1 }, { n: 5 }] },
      { $set: { 'a.$[big].x': 1 } },
      [{ 'big.n': { $gt: 3 } }],
      { a: [{ n: 1 }, { n: 5, x: 1 }] },
    ],
    [
      'elements in elements',
      {},
      { a: [{ b: [1, 9] }, { b: [9] }] },
      { $set: { 'a.$[].b.$[i]': 0 } },
      [{ i: 9 }],
      { a: [{ b: [1, 0] }, { b: [0] }] },
    ],
  ])('reaches %s', (_what, filter, before, change, arrayFilters, after) => {
    expect(update({ _id: 1, ...before }, change, { filter, arrayFilters })).toEqual({ _id: 1, ...after });
  });

  test.each<[Doc | Doc[], number, string]>([
    [{ $foo: { a: 1 } }, 9, 'Unknown modifier: $foo'],
    [{ $set: 1 }, 9, 'Modifiers operate on fields but we found type int instead'],
    [{ $set: { a: 1 }, $inc: { a: 1 } }, 40, "Updating the path 'a' would create a conflict at 'a'"],
    [{ $set: { a: 1, 'a.b': 1 } }, 40, "Updating the path 'a.b' would create a conflict at 'a'"],
    [{ $rename: { a: 'b' }, $set: { b: 1 } }, 40, "would create a conflict at 'b'"],
    [
      { $set: { _id: 2 } },
      66,
      "Performing an update on the path '_id' would modify the immutable field '_id'",
    ],
    [{ $unset: { _id: 1 } }, 66, "the immutable field '_id'"],
    [
      { $inc: { s: 1 } },
      14,
      "Cannot apply $inc to a value of non-numeric type. {_id: 1} has the field 's' of non-numeric type string",
    ],
    [{ $inc: { a: Decimal128.fromString('1') } }, 115, 'arithmetic with Decimal128 is not supported'],
    [{ $inc: { nil: 1 } }, 14, "has the field 'nil' of non-numeric type null"],
    [{ $inc: { a: 'x' } }, 14, 'Cannot increment with non-numeric argument: {a: "x"}'],
    [
      { $inc: { big: 1n } },
      2,
      'Failed to apply $inc operations to current value ((NumberLong)9223372036854775807)',
    ],
    [{ $push: { s: 1 } }, 2, "The field 's' must be an array but is of type string in document {_id: 1}"],
    [
      { $push: { l: { $each: 1 } } },
      2,
      'The argument to $each in $push must be an array but it was of type: int',
    ],
    [{ $push: { l: { $each: [], $foo: 1 } } }, 2, 'Unrecognized clause in $push: $foo'],
    [
      { $addToSet: { s: 1 } },
      2,
      "Cannot apply $addToSet to a non-array field. Field named 's' is of type string",
    ],
    [{ $pop: { s: 1 } }, 14, "Path 's' contains an element of non-array type 'string'"],
    [{ $pop: { l: 2 } }, 9, '$pop expects 1 or -1, found: 2'],
    [{ $pull: { s: 1 } }, 2, 'Cannot apply $pull to a non-array value'],
    [{ $set: { 's.x': 1 } }, 28, 'Cannot create field \'x\' in element {s: "text"}'],
    [{ $set: { 'l.x': 1 } }, 28, "Cannot create field 'x' in element {l: [ 1 ]}"],
    [{ $set: { '': 1 } }, 56, 'An empty update path is not valid.'],
    [{ $set: { 'a..b': 1 } }, 56, "The update path 'a..b' contains an empty field name"],
    [{ $set: { 'l.$': 1 } }, 2, 'The positional operator did not find the match needed from the query.'],
    [{ $set: { 'l.$[x]': 1 } }, 2, "No array filter found for identifier 'x' in path 'l.$[x]'"],
    [{ $set: { 's.$[]': 1 } }, 2, 'Cannot apply array updates to non-array element s'],
    [{ $rename: { a: 'a' } }, 2, 'The source and target field for $rename must differ'],
    [{ $bit: { a: { foo: 1 } } }, 2, "The $bit modifier only supports 'and', 'or', and 'xor'"],
    [{ $currentDate: { a: 'x' } }, 2, 'string is not valid type for $currentDate'],
    [{ a: 1, $set: 1 }, 52, "The dollar ($) prefixed field '$set' in '$set' is not allowed"],
    [{ _id: 2, a: 1 }, 66, "the (immutable) field '_id' was found to have been altered to _id: 2"],
    [[{ $match: {} }], 72, '$match is not allowed to be used within an update'],
    [[{ $set: { _id: 2 } }], 66, "the immutable field '_id'"],
  ])('%j is refused with %i', (change, code, message) => {
    const doc = { _id: 1, s: 'text', l: [1], big: 9223372036854775807n, nil: null };
    expect(() => update(doc, change)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  test.each<[unknown[], number, string]>([
    [[{ x: 1 }], 9, "The array filter for identifier 'x' was not used"],
    [[{ x: 1, y: 1 }], 9, 'Expected a single top-level field name'],
    [[{}], 9, 'Cannot use an expression without a top-level field name in arrayFilters'],
    [[{ x: 1 }, { x: 2 }], 9, 'Found multiple array filters with the same top-level field name x'],
  ])('the array filters %j are refused', (arrayFilters, code, message) => {
    expect(() => update({ _id: 1, a: 1 }, { $set: { a: 2 } }, { arrayFilters })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  test('replaces a document, keeping its _id in front', () => {
    expect(update({ _id: 1, a: 1 }, { b: 2 })).toEqual({ _id: 1, b: 2 });
    expect(update({ _id: 1, a: 1 }, { a: 1 })).toBeNull();
    expect(update({ _id: 1, a: 1 }, { a: 1, _id: 1 })).toBeNull();
  });

  test('runs a pipeline with its constants', () => {
    const change = [{ $set: { b: { $add: ['$a', '$$by'] } } }, { $unset: 'a' }, { $set: { at: '$$NOW' } }];
    expect(update({ _id: 1, a: 1 }, change, { constants: { by: 5 } })).toEqual({ _id: 1, b: 6, at: now });
  });

  test('pollutes no prototype', () => {
    for (const path of ['__proto__.polluted', 'constructor.prototype.polluted', 'a.__proto__.polluted']) {
      const result = update({ _id: 1, a: {} }, { $set: { [path]: 1 } });
      expect(result).not.toBeNull();
    }
    expect(({} as Doc).polluted).toBeUndefined();
  });

  test('touches nothing but what it writes', () => {
    const doc = { _id: 1, kept: { deep: [1] }, a: { b: 1, c: { d: 1 } } };
    const before = clone(doc);
    const after = update(doc, { $set: { 'a.b': 2 } });
    expect(doc).toEqual(before);
    expect(after?.kept).toBe(doc.kept);
    expect(after).toHaveProperty('a.c', doc.a.c);
  });

  const change = fc.oneof(
    fc.record({ $set: fc.dictionary(name, anyValue, { minKeys: 1, maxKeys: 2, noNullPrototype: true }) }),
    fc.record({ $unset: fc.dictionary(name, fc.constant(1), { minKeys: 1, noNullPrototype: true }) }),
    fc.record({ $max: fc.dictionary(name, anyValue, { minKeys: 1, noNullPrototype: true }) }),
    fc.tuple(name, name, anyValue).map(([a, b, value]) => ({ $set: { [`${a}.${b}`]: value } })),
  );

  test('never changes its document, and applied twice changes nothing more', () => {
    fc.assert(
      fc.property(anyDocument, change, (fields, operators) => {
        const doc: Doc = { _id: 1, ...fields };
        const before = clone(doc);
        let after: Doc | null;
        try {
          after = update(doc, operators);
        } catch {
          return;
        } finally {
          expect(identical(doc, before)).toBe(true);
        }
        if (after) expect(identical(after, doc)).toBe(false);
        expect(update(after ?? doc, operators)).toBeNull();
      }),
    );
  });
});

describe('an upsert', () => {
  const upsert = (filter: Doc, change: unknown): Doc => compileUpdate(change, { filter, now }).upsert();

  test.each<[Doc, Doc, Doc]>([
    [{ _id: 5, a: 1, b: { $gt: 3 } }, { $set: { c: 1 } }, { _id: 5, a: 1, c: 1 }],
    [{ _id: 5, 'a.b': { $eq: 1 } }, { $inc: { n: 1 } }, { _id: 5, a: { b: 1 }, n: 1 }],
    [
      { _id: 5, $and: [{ a: 1 }, { b: { $in: [2] } }] },
      { $setOnInsert: { c: 3 } },
      { _id: 5, a: 1, b: 2, c: 3 },
    ],
    [{ _id: 5, $or: [{ a: 1 }, { b: 2 }] }, { $set: { c: 3 } }, { _id: 5, c: 3 }],
    [{ _id: 5, a: 1 }, { b: 2 }, { _id: 5, b: 2 }],
    [{ a: 1 }, { _id: 7, b: 2 }, { _id: 7, b: 2 }],
    [{ _id: 5, a: 1 }, { $set: { a: 2 } }, { _id: 5, a: 2 }],
  ])('of %j by %j inserts %j', (filter, change, expected) => {
    const inserted = upsert(filter, change);
    expect(inserted).toEqual(expected);
    expect(Object.keys(inserted)[0]).toBe('_id');
  });

  test('makes an _id where none is given', () => {
    expect(upsert({ a: 1 }, { $set: { b: 1 } })._id).toBeInstanceOf(ObjectId);
    expect(upsert({ a: 1 }, [{ $set: { b: 1 } }])).toMatchObject({ a: 1, b: 1, _id: expect.any(ObjectId) });
  });

  test('refuses a filter that says two things of one field', () => {
    expect(() => upsert({ $and: [{ a: 1 }, { a: 2 }] }, { $set: { b: 1 } })).toThrow(
      /path 'a' is matched twice/,
    );
  });

  test('compares as it should after an increment', () => {
    expect(compare(upsert({ _id: 1 }, { $inc: { n: 5n } }).n, 5)).toBe(0);
  });
});
