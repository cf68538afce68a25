import { describe, expect, test } from '@jest/globals';
import { Decimal128, Double, ObjectId } from 'bson';
import type { Doc } from '../../src/embedded/documents.ts';
import { compileExpression } from '../../src/embedded/expressions.ts';
import { scopeOf } from '../../src/embedded/operators.ts';
import { identical } from '../../src/embedded/values.ts';

const NOW = new Date('2026-03-04T05:06:07.089Z');
const evaluate = (expression: unknown, doc: Doc = {}): unknown =>
  compileExpression(expression, scopeOf({ NOW, who: 'mei' }))(doc);

const date = (text: string): Date => new Date(text);
const d = date('2024-02-29T12:34:56.789Z');
const doc: Doc = {
  n: 7,
  half: 2.5,
  s: 'Füße',
  l: [3, 1, 2],
  e: [{ x: 1 }, { x: 2 }, {}],
  o: { a: 1, b: 2 },
  d,
  nil: null,
};

const MISSING = { if: '$none', then: 1, else: 2 };
const SEVEN = [{ case: { $eq: ['$n', 7] }, then: 'seven' }];

describe('an expression', () => {
  test.each<[unknown, unknown]>([
    // references
    ['$n', 7],
    ['$o.a', 1],
    ['$e.x', [1, 2]],
    ['$none.x', undefined],
    ['$$ROOT.n', 7],
    ['$$who', 'mei'],
    ['$$NOW', NOW],
    ['text', 'text'],
    [{ $literal: '$n' }, '$n'],
    [{ x: '$n', y: '$none' }, { x: 7 }],
    [
      ['$n', '$none'],
      [7, null],
    ],
    ['$constructor', undefined],
    // arithmetic
    [{ $add: ['$n', 1] }, 8],
    [{ $add: [2147483647, 1] }, 2147483648n],
    [{ $add: ['$n', 0.5] }, 7.5],
    [{ $add: ['$d', 1000] }, date('2024-02-29T12:34:57.789Z')],
    [{ $add: ['$n', '$nil'] }, null],
    [{ $subtract: ['$d', date('2024-02-29T12:34:55.789Z')] }, 1000n],
    [{ $multiply: ['$n', '$half'] }, 17.5],
    [{ $divide: [4, 2] }, new Double(2)],
    [{ $mod: [-7, 3] }, -1],
    [{ $pow: [2, 10] }, 1024],
    [{ $round: [2.5] }, new Double(2)],
    [{ $round: [1.255, 2] }, 1.25],
    [{ $trunc: [-3.7] }, new Double(-3)],
    [{ $floor: 2.5 }, new Double(2)],
    [{ $abs: -3 }, 3],
    // comparison: missing before null, types in order
    [{ $eq: ['$none', null] }, false],
    [{ $lt: ['$none', null] }, true],
    [{ $gt: ['a', 5] }, true],
    [{ $eq: [1, 1n] }, true],
    [{ $cmp: ['$n', 8] }, -1],
    // logic
    [{ $and: [1, 'x', []] }, true],
    [{ $or: [0, null, '$none'] }, false],
    [{ $not: ['$nil'] }, true],
    [{ $cond: [{ $gt: ['$n', 5] }, 'big', 'small'] }, 'big'],
    [{ $cond: MISSING }, 2],
    [{ $ifNull: ['$none', '$nil', 'x'] }, 'x'],
    [{ $switch: { branches: SEVEN, default: 'other' } }, 'seven'],
    [{ $let: { vars: { a: '$n', b: 1 }, in: { $add: ['$$a', '$$b'] } } }, 8],
    // arrays
    [{ $size: '$l' }, 3],
    [{ $arrayElemAt: ['$l', -1] }, 2],
    [{ $arrayElemAt: ['$l', 9] }, undefined],
    [{ $first: '$l' }, 3],
    [{ $slice: ['$l', 1, 2] }, [1, 2]],
    [{ $slice: ['$l', -2] }, [1, 2]],
    [{ $concatArrays: ['$l', [9]] }, [3, 1, 2, 9]],
    [{ $in: [2, '$l'] }, true],
    [{ $indexOfArray: ['$l', 2] }, 2],
    [{ $map: { input: '$l', as: 'one', in: { $multiply: ['$$one', 2] } } }, [6, 2, 4]],
    [{ $filter: { input: '$l', cond: { $gt: ['$$this', 1] }, limit: 1 } }, [3]],
    [{ $reduce: { input: '$l', initialValue: 0, in: { $add: ['$$value', '$$this'] } } }, 6],
    [
      { $map: { input: '$e', in: { $map: { input: [1, 2], in: '$$this' } } } },
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
    ],
    [{ $sortArray: { input: '$l', sortBy: 1 } }, [1, 2, 3]],
    [{ $sortArray: { input: '$e', sortBy: { x: -1 } } }, [{ x: 2 }, { x: 1 }, {}]],
    [
      { $zip: { inputs: [[1, 2], ['a']], useLongestLength: true, defaults: [0, '-'] } },
      [
        [1, 'a'],
        [2, '-'],
      ],
    ],
    [{ $range: [0, 6, 2] }, [0, 2, 4]],
    [{ $reverseArray: '$l' }, [2, 1, 3]],
    [{ $sum: '$l' }, 6],
    [{ $avg: '$l' }, new Double(2)],
    [{ $max: ['$n', '$half', null] }, 7],
    [
      {
        $setUnion: [
          [1, 2],
          [2, 3],
        ],
      },
      [1, 2, 3],
    ],
    [{ $setDifference: [[1, 2, 1], [2]] }, [1]],
    [{ $setIsSubset: [[1], [1, 2]] }, true],
    [{ $allElementsTrue: [[true, 1]] }, true],
    // objects
    [{ $mergeObjects: ['$o', { b: 3 }] }, { a: 1, b: 3 }],
    [{ $getField: { field: 'a.b', input: { $setField: { field: 'a.b', input: '$o', value: 7 } } } }, 7],
    [{ $setField: { field: { $literal: '$x' }, input: {}, value: 1 } }, { $x: 1 }],
    [{ $unsetField: { field: 'a', input: '$o' } }, { b: 2 }],
    [{ $setField: { field: 'a', input: '$missing', value: 1 } }, null],
    [
      { $objectToArray: '$o' },
      [
        { k: 'a', v: 1 },
        { k: 'b', v: 2 },
      ],
    ],
    [
      {
        $arrayToObject: [
          [
            ['x', 1],
            ['y', 2],
          ],
        ],
      },
      { x: 1, y: 2 },
    ],
    // strings
    [{ $concat: ['$s', '-', 'x'] }, 'Füße-x'],
    [{ $concat: ['$s', '$nil'] }, null],
    [{ $toUpper: 'abc' }, 'ABC'],
    [{ $toLower: '$none' }, ''],
    [{ $strLenCP: '$s' }, 4],
    [{ $strLenBytes: '$s' }, 6],
    [{ $substrCP: ['$s', 1, 2] }, 'üß'],
    [{ $substrBytes: ['hello', 1, 3] }, 'ell'],
    [{ $indexOfCP: ['$s', 'e'] }, 3],
    [{ $split: ['a,b', ','] }, ['a', 'b']],
    [{ $trim: { input: '  a ' } }, 'a'],
    [{ $ltrim: { input: 'xxa', chars: 'x' } }, 'a'],
    [{ $replaceAll: { input: 'a.a', find: '.', replacement: { $literal: '$&' } } }, 'a$&a'],
    [{ $regexMatch: { input: 'TKT-12', regex: '^tkt-\\d+$', options: 'i' } }, true],
    [{ $regexFind: { input: 'ü12', regex: '(\\d)(x)?' } }, { match: '1', idx: 1, captures: ['1', null] }],
    [{ $strcasecmp: ['a', 'B'] }, -1],
    // conversion
    [{ $toString: 12 }, '12'],
    [{ $toInt: '42' }, 42],
    [{ $toLong: 2.9 }, 2n],
    [{ $toLong: Decimal128.fromString('9007199254740993') }, 9007199254740993n],
    [{ $toDouble: 3 }, new Double(3)],
    [{ $toDecimal: 0.5 }, Decimal128.fromString('0.500000000000000')],
    [{ $toDecimal: '1.10' }, Decimal128.fromString('1.10')],
    [{ $toBool: 'false' }, true],
    [{ $toDate: '2024-01-02' }, date('2024-01-02')],
    [{ $toDate: '2024-01-02 03:04:05.678 +0530' }, date('2024-01-01T21:34:05.678Z')],
    [{ $toObjectId: '0123456789abcdef01234567' }, new ObjectId('0123456789abcdef01234567')],
    [{ $convert: { input: 'x', to: 'int', onError: 'bad' } }, 'bad'],
    [{ $convert: { input: null, to: 'int', onNull: 0 } }, 0],
    [{ $type: '$none' }, 'missing'],
    [{ $type: '$d' }, 'date'],
    [{ $isNumber: '$n' }, true],
    // dates
    [{ $year: '$d' }, 2024],
    [{ $dayOfWeek: '$d' }, 5],
    [{ $dayOfYear: '$d' }, 60],
    [{ $isoWeek: '$d' }, 9],
    [{ $hour: { date: '$d', timezone: 'Asia/Kolkata' } }, 18],
    [
      { $dateToString: { date: '$d', format: '%Y-%m-%d %H:%M:%S.%L %j %u' } },
      '2024-02-29 12:34:56.789 060 4',
    ],
    [{ $dateToString: { date: '$d', timezone: '+02:00', format: '%H%z' } }, '14+0200'],
    [{ $dateToString: { date: '$none', onNull: '-' } }, '-'],
    [
      { $dateFromString: { dateString: '2024-03-01T00:00:00', timezone: 'Europe/Berlin' } },
      date('2024-02-29T23:00:00Z'),
    ],
    [{ $dateFromString: { dateString: '01/02/2024', format: '%d/%m/%Y' } }, date('2024-02-01')],
    [{ $dateFromString: { dateString: 'soon', onError: 'never' } }, 'never'],
    [{ $dateFromParts: { year: 2024, month: 14, day: 0 } }, date('2025-01-31')],
    [
      { $dateToParts: { date: '$d' } },
      { year: 2024, month: 2, day: 29, hour: 12, minute: 34, second: 56, millisecond: 789 },
    ],
    [{ $dateAdd: { startDate: '$d', unit: 'year', amount: 1 } }, date('2025-02-28T12:34:56.789Z')],
    [{ $dateSubtract: { startDate: date('2024-03-31'), unit: 'month', amount: 1 } }, date('2024-02-29')],
    [
      {
        $dateAdd: { startDate: date('2024-03-30T12:00Z'), unit: 'day', amount: 1, timezone: 'Europe/Berlin' },
      },
      date('2024-03-31T11:00Z'),
    ],
    [{ $dateDiff: { startDate: date('2023-12-31T23:59Z'), endDate: date('2024-01-01'), unit: 'year' } }, 1n],
    [{ $dateDiff: { startDate: date('2024-01-06'), endDate: date('2024-01-07'), unit: 'week' } }, 1n],
    [{ $dateTrunc: { date: '$d', unit: 'month' } }, date('2024-02-01')],
    [{ $dateTrunc: { date: '$d', unit: 'week', startOfWeek: 'monday' } }, date('2024-02-26')],
    [{ $dateTrunc: { date: '$d', unit: 'minute', binSize: 15 } }, date('2024-02-29T12:30:00Z')],
  ])('%j', (expression, expected) => {
    const found = evaluate(expression, doc);
    expect(found).toEqual(expected);
    expect(identical(found, expected)).toBe(true);
  });

  test.each<[unknown, number, string]>([
    [{ $range: [0, 2000000000] }, 146, '$range would make more than'],
    [{ $sortArray: { input: [2, 1], sortBy: 'x' } }, 2942507, 'sortBy must be 1, -1 or an object'],
    [
      { $reduce: { input: [], as: 'x', initialValue: 0, in: 1 } },
      28647,
      'Unrecognized parameter to $reduce: as',
    ],
    [{ $zip: { inputs: [] } }, 34465, 'at least one input array'],
    [{ $foo: 1 }, 168, "Unrecognized expression '$foo'"],
    [{ $function: {} }, 168, "Unrecognized expression '$function'"],
    [{ $bitAnd: [1, 2] }, 168, 'the embedded engine does not have it'],
    [{ $sin: 1 }, 168, "Unrecognized expression '$sin'"],
    [{ $add: [Decimal128.fromString('0.1'), 1] }, 115, 'arithmetic with Decimal128 is not supported'],
    [{ $dateFromString: { dateString: 'July 4, 2018' } }, 241, 'it is no date of ISO 8601'],
    [{ $dateFromString: { dateString: '2018-02-30' } }, 241, 'out of range'],
    [{ $dateFromString: { dateString: '2018-02-03T10:00Z', timezone: 'UTC' } }, 241, 'time zone information'],
    [
      { $dateAdd: { startDate: NOW, unit: 'year', amount: 2000000000 } },
      5166406,
      'beyond the range of dates',
    ],
    [{ $add: ['a'] }, 14, '$add only supports numeric or date types, not string'],
    [{ $divide: [1, 0] }, 2, "can't $divide by zero"],
    [{ $subtract: [1] }, 16020, 'Expression $subtract takes exactly 2 arguments. 1 were passed in.'],
    [{ $size: 'x' }, 17124, '$size only supports arrays, not string'],
    [{ $concat: [1] }, 16702, '$concat only supports strings, not int'],
    [{ $toInt: 'x' }, 241, "Failed to parse number 'x'"],
    ['$$nobody', 17276, 'Use of undefined variable: nobody'],
    [{ a: 1, $add: [1] }, 16410, "FieldPath field names may not start with '$'"],
    [{ $year: 'x' }, 16006, '$year only supports dates, not string'],
    [{ $dateToString: { date: NOW, timezone: 'Nowhere/None' } }, 40485, 'unrecognized time zone identifier'],
  ])('%j is refused with %i', (expression, code, message) => {
    expect(() => evaluate(expression)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});
