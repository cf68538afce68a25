import { describe, expect, test } from '@jest/globals';
import { Binary, BSONRegExp, Code, Decimal128, Double, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import fc from 'fast-check';
import { collator } from '../../src/embedded/collation.ts';
import { decode, encode } from '../../src/embedded/documents.ts';
import { identity } from '../../src/embedded/keys.ts';
import { compare, equal, identical, typeName } from '../../src/embedded/values.ts';
import { anyValue } from './values.ts';

const decimal = (text: string): Decimal128 => Decimal128.fromString(text);

describe('values in MongoDB order', () => {
  test('types come one after another, null with missing, numbers among themselves', () => {
    const ascending = [
      new MinKey(),
      null,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      -1,
      0,
      1n,
      1.5,
      new Double(2),
      decimal('2.5'),
      9007199254740993n,
      Number.POSITIVE_INFINITY,
      '',
      'a',
      'b',
      {},
      { a: 1 },
      { b: 0 },
      { a: 'x' },
      [],
      [1],
      [1, 2],
      [2],
      new Binary(Buffer.from('z'), 0),
      new Binary(Buffer.from('z'), 5),
      new Binary(Buffer.from('aa'), 0),
      new ObjectId('000000000000000000000001'),
      new ObjectId('000000000000000000000002'),
      false,
      true,
      new Date(-1),
      new Date(0),
      new Timestamp({ t: 1, i: 2 }),
      new Timestamp({ t: 2, i: 1 }),
      new BSONRegExp('a', ''),
      new BSONRegExp('a', 'i'),
      new Code('x'),
      new MaxKey(),
    ];
    const shuffled = ascending.toReversed().sort((a, b) => compare(a, b));
    expect(shuffled).toEqual(ascending);
  });

  test.each([
    [1, 1n],
    [1, new Double(1)],
    [1n, decimal('1')],
    [decimal('1.0'), decimal('1.00')],
    [0.5, decimal('0.5')],
    [Number.NaN, decimal('NaN')],
    [0, -0],
    [null, undefined],
  ])('%s equals %s', (a, b) => {
    expect(compare(a, b)).toBe(0);
    expect(identity(a)).toBe(identity(b));
  });

  test.each([
    [0.1, decimal('0.1')],
    [9007199254740992, 9007199254740993n],
    [9007199254740993n, decimal('9007199254740993.1')],
    ['a', 'A'],
    [[1], 1],
    [
      { a: 1, b: 1 },
      { b: 1, a: 1 },
    ],
  ])('%s does not equal %s', (a, b) => {
    expect(equal(a, b)).toBe(false);
    expect(identity(a)).not.toBe(identity(b));
  });

  test('what a surrogate pair stands for comes after every other character', () => {
    expect(compare('\uffff', '\u{1f600}')).toBeLessThan(0);
  });

  test('an int32 and a double of the same value are equal but not identical', () => {
    expect(equal({ a: 1 }, { a: new Double(1) })).toBe(true);
    expect(identical({ a: 1 }, { a: new Double(1) })).toBe(false);
    expect([typeName(1), typeName(1.5), typeName(1n), typeName(new Double(1)), typeName(-0)]).toEqual([
      'int',
      'double',
      'long',
      'double',
      'double',
    ]);
  });

  test('the order is total: antisymmetric and transitive', () => {
    fc.assert(
      fc.property(anyValue, anyValue, anyValue, (a, b, c) => {
        expect(Math.sign(compare(a, b))).toBe(-Math.sign(compare(b, a)) + 0);
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });

  test('two values share a key text exactly when they are equal', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (a, b) => {
        expect(identity(a) === identity(b)).toBe(equal(a, b));
      }),
    );
  });

  test('what is stored comes back identical', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(identical(decode(encode({ value })).value, value)).toBe(true);
      }),
    );
  });
});

describe('collation', () => {
  test.each([
    [1, 'cafe', 'CAFÉ', true],
    [2, 'cafe', 'CAFE', true],
    [2, 'cafe', 'café', false],
    [3, 'cafe', 'CAFE', false],
  ])('at strength %i %s and %s are equal: %s', (strength, a, b, same) => {
    const collation = collator({ locale: 'en', strength });
    expect(equal(a, b, collation)).toBe(same);
    expect(collation?.fold(a) === collation?.fold(b)).toBe(same);
  });

  test('the simple one compares bytes', () => {
    expect(collator({ locale: 'simple' })).toBeUndefined();
  });

  test.each([
    [{ locale: 'en', strength: 4 }],
    [{ locale: 'en', numericOrdering: true }],
    [{ locale: 'en', caseLevel: true }],
  ])('%j is refused with a sentence', (spec) => {
    expect(() => collator(spec)).toThrow(/not supported by the embedded engine/);
  });
});
