import { describe, expect, test } from '@jest/globals';
import { BSONRegExp, Decimal128, Double, ObjectId } from 'bson';
import fc from 'fast-check';
import { collator } from '../../src/embedded/collation.ts';
import type { Doc } from '../../src/embedded/documents.ts';
import { compileFilter } from '../../src/embedded/matching.ts';
import { scopeOf } from '../../src/embedded/operators.ts';
import { fieldsOf } from '../../src/embedded/reading.ts';
import { scoreOf } from '../../src/embedded/text.ts';
import { matchesNaively } from './naive.ts';
import { anyDocument, anyValue, name, scalar } from './values.ts';

const regex = (pattern: string, options = ''): BSONRegExp => new BSONRegExp(pattern, options);
const id = new ObjectId();

const matches = (filter: Doc, doc: Doc): boolean => compileFilter(filter)(doc);

describe('a filter', () => {
  test.each<[Doc, Doc, boolean]>([
    // null and missing
    [{ a: null }, {}, true],
    [{ a: null }, { a: null }, true],
    [{ a: null }, { a: 1 }, false],
    [{ a: null }, { a: [] }, false],
    [{ a: null }, { a: [null] }, true],
    [{ 'a.b': null }, {}, true],
    [{ 'a.b': null }, { a: 1 }, true],
    [{ 'a.b': null }, { a: [] }, false],
    [{ 'a.b': null }, { a: [1] }, false],
    [{ 'a.b': null }, { a: [{ b: 1 }, {}] }, true],
    [{ a: { $ne: null } }, {}, false],
    [{ a: { $exists: true } }, { a: null }, true],
    [{ a: { $exists: false } }, { a: null }, false],
    [{ 'a.b': { $exists: false } }, { a: [] }, true],
    [{ a: { $gte: null } }, {}, true],
    [{ a: { $gt: null } }, { a: null }, false],
    [{ a: { $in: [null] } }, {}, true],
    [{ a: { $nin: [null, 1] } }, { a: 2 }, true],
    [{ a: { $nin: [1.5] } }, { a: Decimal128.fromString('1.50') }, false],
    // arrays
    [{ a: 1 }, { a: [1, 2] }, true],
    [{ a: [1, 2] }, { a: [1, 2] }, true],
    [{ a: [1, 2] }, { a: [[1, 2]] }, true],
    [{ a: [2, 1] }, { a: [1, 2] }, false],
    [{ a: { $ne: 1 } }, { a: [1, 2] }, false],
    [{ 'a.0': 1 }, { a: [1, 2] }, true],
    [{ 'a.1': 1 }, { a: [1, 2] }, false],
    [{ 'a.0.b': 1 }, { a: [{ b: 1 }] }, true],
    [{ 'a.b': 2 }, { a: [{ b: 1 }, { b: 2 }] }, true],
    [{ 'a.b': 2 }, { a: [{ b: [1, 2] }] }, true],
    [{ 'a.b': 1 }, { a: [[{ b: 1 }]] }, false],
    [{ a: { $gt: 1, $lt: 3 } }, { a: [0, 4] }, true],
    [{ a: { $elemMatch: { $gt: 1, $lt: 3 } } }, { a: [0, 4] }, false],
    [{ a: { $elemMatch: { b: 1, c: 1 } } }, { a: [{ b: 1 }, { c: 1 }] }, false],
    [{ a: { $elemMatch: { b: 1, c: 1 } } }, { a: [{ b: 1, c: 1 }] }, true],
    [{ a: { $size: 2 } }, { a: [1, [2]] }, true],
    [{ a: { $size: 1 } }, { a: [[1], 2] }, false],
    [{ a: { $all: [1, 2] } }, { a: [2, 1, 3] }, true],
    [{ a: { $all: [1] } }, { a: 1 }, true],
    [{ a: { $all: [] } }, { a: [] }, false],
    [{ a: { $all: [[1, 2]] } }, { a: [1, 2] }, true],
    [
      { a: { $all: [{ $elemMatch: { b: 1 } }, { $elemMatch: { b: 2 } }] } },
      { a: [{ b: 1 }, { b: 2 }] },
      true,
    ],
    [{ a: { $in: [[1], 'x'] } }, { a: [[1]] }, true],
    // numbers and types
    [{ a: 1 }, { a: 1n }, true],
    [{ a: 1n }, { a: new Double(1) }, true],
    [{ a: Decimal128.fromString('1.0') }, { a: 1 }, true],
    [{ a: { $in: [1n, 2n] } }, { a: 2 }, true],
    [{ a: { $gt: 'a' } }, { a: 5 }, false],
    [{ a: { $lt: Number.NaN } }, { a: 1 }, false],
    [{ a: { $gte: Number.NaN } }, { a: Number.NaN }, true],
    [{ a: { $gte: Number.POSITIVE_INFINITY } }, { a: Number.POSITIVE_INFINITY }, true],
    [{ a: { $type: 'number' } }, { a: 1n }, true],
    [{ a: { $type: 'double' } }, { a: 1 }, false],
    [{ a: { $type: ['string', 16] } }, { a: 1 }, true],
    [{ a: { $type: 'array' } }, { a: [] }, true],
    [{ a: { $type: 'string' } }, { a: ['x'] }, true],
    [{ a: { $mod: [3, 1] } }, { a: 4 }, true],
    [{ a: { $mod: [3, -1] } }, { a: -4 }, true],
    // documents
    [{ a: { b: 1, c: 2 } }, { a: { b: 1, c: 2 } }, true],
    [{ a: { b: 1, c: 2 } }, { a: { c: 2, b: 1 } }, false],
    [{ a: {} }, { a: {} }, true],
    [{ a: { $eq: { b: 1 } } }, { a: { b: 1, c: 1 } }, false],
    // strings
    [{ a: regex('^b', 'i') }, { a: 'Big' }, true],
    [{ a: { $regex: 'x', $options: 'i' } }, { a: ['a', 'X'] }, true],
    [{ a: { $not: regex('^b') } }, { a: 'ab' }, true],
    [{ a: { $in: [regex('^b'), 'c'] } }, { a: 'bc' }, true],
    [{ a: { $eq: regex('b') } }, { a: 'b' }, false],
    // logic
    [{ $or: [{ a: 1 }, { b: 1 }] }, { b: 1 }, true],
    [{ $nor: [{ a: 1 }, { b: 1 }] }, { b: 1 }, false],
    [{ $and: [{ a: 1 }, { a: 2 }] }, { a: [1, 2] }, true],
    [{ a: { $not: { $gt: 1 } } }, {}, true],
    [{ $expr: { $gt: ['$a', '$b'] } }, { a: 2, b: 1 }, true],
    [{ $expr: '$a' }, { a: 0 }, false],
    [{ _id: id }, { _id: new ObjectId(id.toHexString()) }, true],
    // references
    [{ a: { $elemMatch: { $id: 7 } } }, { a: [{ $ref: 'x', $id: 7 }] }, true],
    [{ a: { $ref: 'x', $id: 7 } }, { a: { $ref: 'x', $id: 7 } }, true],
    // names that every object inherits
    [{ constructor: { $exists: true } }, {}, false],
    [{ 'constructor.name': 'Object' }, {}, false],
    [{ toString: null }, {}, true],
  ])('%j on %j is %s', (filter, doc, expected) => {
    expect(matches(filter, doc)).toBe(expected);
  });

  test.each<[Doc, number, string]>([
    [{ a: { $foo: 1 } }, 2, 'unknown operator: $foo'],
    [{ $foo: 1 }, 2, 'unknown top level operator: $foo'],
    [{ $or: [] }, 2, '$and/$or/$nor must be a nonempty array'],
    [{ a: { $in: 1 } }, 2, '$in needs an array'],
    [{ a: { $in: [{ $gt: 1 }] } }, 2, 'cannot nest $ under $in'],
    [{ a: { $not: 1 } }, 2, '$not needs a regex or a document'],
    [{ a: { $mod: [0, 1] } }, 2, 'divisor cannot be 0'],
    [{ a: { $type: 'foo' } }, 2, 'Unknown type name alias: foo'],
    [{ a: { $elemMatch: 1 } }, 2, '$elemMatch needs an Object'],
    [{ a: { $regex: '(' } }, 51091, 'Regular expression is invalid'],
    [{ a: { $regex: regex('a', 'i'), $options: 'm' } }, 51075, 'options set in both $regex and $options'],
    [{ a: regex('a b # c', 'x') }, 115, 'the option x of regular expressions is not supported'],
    [{ a: regex('^[[:alpha:]_]+$') }, 115, '[:alpha:] in regular expressions is not supported'],
    [{ a: { $options: 'i' } }, 2, '$options needs a $regex'],
    [{ $where: 'true' }, 115, '$where is not supported'],
    [{ a: { $near: [0, 0] } }, 115, '$near is not supported'],
    [{ a: { $bitsAllSet: 5 } }, 115, '$bitsAllSet is not supported'],
    [{ $jsonSchema: { required: ['a'] } }, 115, '$jsonSchema is not supported'],
    [{ $text: { $search: 'x' } }, 27, 'text index required for $text query'],
    [
      { $expr: { $function: { body: 'x', args: [], lang: 'js' } } },
      168,
      "Unrecognized expression '$function'",
    ],
  ])('%j is refused with %i', (filter, code, message) => {
    expect(() => compileFilter(filter)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  test('reads the variables that it is given', () => {
    const test = compileFilter({ $expr: { $eq: ['$a', '$$wanted'] } }, { scope: scopeOf({ wanted: 3 }) });
    expect([test({ a: 3 }), test({ a: 4 })]).toEqual([true, false]);
  });

  test('compares by the collation', () => {
    const collation = collator({ locale: 'en', strength: 2 });
    expect(compileFilter({ a: 'MEI' }, { collation })({ a: 'mei' })).toBe(true);
    expect(compileFilter({ a: { $in: ['MEI'] } }, { collation })({ a: ['x', 'mei'] })).toBe(true);
  });

  const condition = fc.oneof(
    anyValue.filter(
      (value) => !(value instanceof Object && Object.keys(value).some((key) => key.startsWith('$'))),
    ),
    fc.record({ $eq: anyValue }),
    fc.record({ $ne: anyValue }),
    fc.record({ $gt: scalar }),
    fc.record({ $lte: scalar }),
    fc.record({ $gte: scalar, $lt: scalar }),
    fc.record({ $in: fc.array(scalar, { maxLength: 3 }) }),
    fc.record({ $nin: fc.array(anyValue, { maxLength: 3 }) }),
    fc.record({ $exists: fc.boolean() }),
    fc.record({ $size: fc.nat(2) }),
    fc.record({ $not: fc.record({ $gt: scalar }) }),
    fc.record({ $elemMatch: fc.record({ $gte: scalar }) }),
    fc.record({ $elemMatch: fc.dictionary(name, scalar, { minKeys: 1, maxKeys: 2, noNullPrototype: true }) }),
  );
  const path = fc.oneof(
    name,
    fc.tuple(name, fc.constantFrom('a', 'b', '0', '1')).map((parts) => parts.join('.')),
  );
  const clause = fc.tuple(path, condition).map(([key, value]): Doc => ({ [key]: value }));
  const filters = fc.oneof(
    clause,
    fc.tuple(clause, clause).map(([a, b]): Doc => ({ $and: [a, b] })),
    fc.tuple(clause, clause).map(([a, b]): Doc => ({ $or: [a, b] })),
    fc.tuple(clause, clause).map(([a, b]): Doc => ({ $nor: [a, b] })),
  );

  test('agrees with a naive reading of the documentation', () => {
    fc.assert(
      fc.property(filters, anyDocument, (filter, doc) => {
        expect(matches(filter, doc)).toBe(matchesNaively(filter, doc));
      }),
      { numRuns: 3000 },
    );
  });

  test('needs no field but those it is said to read', () => {
    fc.assert(
      fc.property(filters, anyDocument, (filter, doc) => {
        const names = fieldsOf(filter) ?? new Set(Object.keys(doc));
        const part = Object.fromEntries(Object.entries(doc).filter(([key]) => names.has(key)));
        expect(matches(filter, part)).toBe(matches(filter, doc));
      }),
    );
  });
});

describe('a regular expression', () => {
  test.each([
    ['^printer [a-c0-9]+$', 'PRINTER B2', true],
    ['[^a]x', 'AX', false],
    ['[\\]a-]', 'A', true],
    ['(foo|bar)+$', 'fooBAR', true],
    ['\\bTKT-\\d+', 'see tkt-12', true],
    ['[A-z]', 'q', true],
    ['\\x41', 'a', true],
    ['F\u00dc\u00dfE', 'f\u00fc\u00dfe', true],
  ])('/%s/i of %s: %s', (pattern, text, found) => {
    expect(matches({ s: { $regex: pattern, $options: 'i' } }, { s: text })).toBe(found);
  });

  test.each(['(a+)+$', '(a|aa)+$', '.*.*.*.*.*=x'])(
    '/%s/ takes no more time than the text is long',
    (pattern) => {
      const begun = performance.now();
      for (const options of ['', 'i', 'm'])
        expect(matches({ s: { $regex: pattern, $options: options } }, { s: `${'a'.repeat(500)}b` })).toBe(
          false,
        );
      expect(performance.now() - begun).toBeLessThan(2000);
    },
  );

  test.each(['(?=a)(a+)+$', '(a+)+\\1$'])('/%s/, which could take forever, is refused', (pattern) => {
    expect(() => compileFilter({ s: { $regex: pattern } })).toThrow(/repeats a repetition/);
  });
});

describe('$text', () => {
  const textFields = [
    ['title', 3],
    ['body', 1],
  ] as const;
  const search = (words: string, doc: Doc): boolean =>
    compileFilter({ $text: { $search: words } }, { textFields })(doc);
  const printer = { title: 'Printers on fire', body: 'The printing office smells of smoke, the café too' };

  test.each([
    ['printer', true],
    ['PRINTING', true],
    ['scanner printer', true],
    ['cafe', true],
    ['the', false],
    ['scanner', false],
    ['"on fire"', true],
    ['"fire on"', false],
    ['printer -smoke', false],
    ['printer -scanner', true],
  ])('%s matches: %s', (words, expected) => {
    expect(search(words, printer)).toBe(expected);
  });

  test('a word in a heavier field scores higher', () => {
    const [title, body] = [{ title: 'Printer jam' }, { body: 'Printer jam' }];
    search('printer', title);
    search('printer', body);
    expect(scoreOf(title)).toBeCloseTo(2.25);
    expect(scoreOf(body)).toBeCloseTo(0.75);
  });

  test('what would change the meaning of a word is refused', () => {
    const spec = { $text: { $search: 'a', $caseSensitive: true } };
    expect(() => compileFilter(spec, { textFields })).toThrow(/not supported by the embedded engine/);
  });
});
