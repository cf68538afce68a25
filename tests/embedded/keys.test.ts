// Index keys: their bytes are in the order of the values, whatever the values are.
import { describe, expect, test } from '@jest/globals';
import { Binary, BSONRegExp, Decimal128, Double, MaxKey, MinKey, ObjectId, Timestamp } from 'bson';
import fc from 'fast-check';
import { after, encodeKey, encodePart } from '../../src/embedded/keys.ts';
import { compare } from '../../src/embedded/values.ts';

const number = fc.oneof(
  fc.integer(),
  fc.integer({ min: -3, max: 3 }),
  fc.double({ noNaN: false }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(
    0,
    -0,
    2 ** 53,
    2 ** 53 + 2,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ),
  fc.constantFrom(2n ** 53n, 2n ** 53n + 1n, 2n ** 53n - 1n, 2n ** 63n - 1n, -(2n ** 63n)),
  fc.integer({ min: -5, max: 5 }).map((value) => new Double(value)),
  fc
    .constantFrom('0.1', '1.5', '-2', '9007199254740993', '1E+30', '0.1000000000000000055511151231257827')
    .map((text) => Decimal128.fromString(text)),
);

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', 'a', 'a\0', 'a\0b', 'ab', 'é', '😀', '\uffff'),
);

const leaf = fc.oneof(
  number,
  text,
  fc.boolean(),
  fc.constant(null),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => new ObjectId(bytes)),
  fc.uint8Array({ maxLength: 4 }).map((bytes) => new Binary(Buffer.from(bytes), 0)),
  fc.tuple(fc.nat(9), fc.nat(9)).map(([t, i]) => new Timestamp({ t, i })),
  fc.constantFrom(new MinKey(), new MaxKey(), new BSONRegExp('a', 'i'), new BSONRegExp('a', '')),
);

const value = fc.oneof(
  { weight: 5, arbitrary: leaf },
  { weight: 1, arbitrary: fc.array(leaf, { maxLength: 3 }) },
  {
    weight: 1,
    arbitrary: fc.dictionary(fc.constantFrom('a', 'b', 'ab'), leaf, { maxKeys: 3, noNullPrototype: true }),
  },
);

const shape = (descending: boolean[]) => ({
  prefix: Buffer.from([64, 0, 0, 0, 1]),
  descending,
  collation: undefined,
});
const sign = (order: number): number => Math.sign(order);

describe('index keys', () => {
  test('are ordered as the values are', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(sign(encodePart(a, false).compare(encodePart(b, false)))).toBe(sign(compare(a, b)));
      }),
      { numRuns: 2000 },
    );
  });

  test('run backwards where the index does', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(sign(encodePart(a, true).compare(encodePart(b, true)))).toBe(sign(compare(b, a)));
      }),
      { numRuns: 1000 },
    );
  });

  test('of several fields are ordered field by field', () => {
    const pair = fc.tuple(value, value);
    fc.assert(
      fc.property(pair, pair, fc.boolean(), fc.boolean(), (a, b, first, second) => {
        const key = (values: unknown[]): Buffer => encodeKey(shape([first, second]), values).key;
        const order =
          sign(compare(a[0], b[0])) * (first ? -1 : 1) || sign(compare(a[1], b[1])) * (second ? -1 : 1);
        expect(sign(key(a).compare(key(b))) + 0).toBe(order + 0);
      }),
      { numRuns: 1000 },
    );
  });

  test('that begin with a value lie before what comes after it', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        const part = encodePart(a, false);
        const key = encodeKey(shape([false, false]), [a, b]).key.subarray(5);
        expect(key.compare(part)).toBeGreaterThanOrEqual(0);
        expect(key.compare(after(part))).toBeLessThan(0);
      }),
    );
  });

  test('fit into the storage however long the value is, and stay apart', () => {
    const long = 'x'.repeat(5000);
    const one = encodeKey(shape([false]), [`${long}1`]);
    const other = encodeKey(shape([false]), [`${long}2`]);
    expect(one.shortened && other.shortened).toBe(true);
    expect(one.key.length).toBeLessThan(1950);
    expect(one.key.equals(other.key)).toBe(false);
  });
});
