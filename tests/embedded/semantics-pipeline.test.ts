import { describe, expect, test } from '@jest/globals';
import { Decimal128, Double } from 'bson';
import type { Doc } from '../../src/embedded/documents.ts';
import { compileFilter } from '../../src/embedded/matching.ts';
import type { Scope } from '../../src/embedded/operators.ts';
import { scopeOf } from '../../src/embedded/operators.ts';
import { runPipeline, validatePipeline } from '../../src/embedded/pipeline.ts';
import { leading, neededFields } from '../../src/embedded/reading.ts';

const collections: Record<string, Doc[]> = {
  desks: [
    { _id: 'it', name: 'IT', parent: 'all' },
    { _id: 'hr', name: 'HR', parent: 'all' },
    { _id: 'all', name: 'Everything' },
  ],
};
const asked: Doc[] = [];

function* source(collection: string, filter: Doc, scope: Scope): Generator<Doc> {
  asked.push(filter);
  const test = compileFilter(filter, { scope });
  for (const doc of collections[collection] ?? []) if (test(doc)) yield doc;
}

const run = (docs: Iterable<Doc>, stages: Doc[]): Doc[] => [
  ...runPipeline(docs, stages, { scope: scopeOf({ NOW: new Date(0) }), source }),
];

const tickets = [
  { _id: 1, desk: 'it', hours: 3, tags: ['a', 'b'] },
  { _id: 2, desk: 'hr', hours: 1.5, tags: [] },
  { _id: 3, desk: 'it', hours: 4n },
  { _id: 4, hours: null, tags: 'c' },
];

describe('a pipeline', () => {
  test.each<[string, Doc[], Doc[]]>([
    [
      'groups, missing with null',
      [{ $group: { _id: '$desk', n: { $sum: 1 } } }],
      [
        { _id: 'it', n: 2 },
        { _id: 'hr', n: 1 },
        { _id: null, n: 1 },
      ],
    ],
    [
      'sums by type',
      [{ $group: { _id: null, all: { $sum: '$hours' }, avg: { $avg: '$hours' } } }],
      [{ _id: null, all: 8.5, avg: 8.5 / 3 }],
    ],
    [
      'takes first and last, least and greatest',
      [
        {
          $group: {
            _id: null,
            f: { $first: '$desk' },
            l: { $last: '$desk' },
            lo: { $min: '$hours' },
            hi: { $max: '$hours' },
          },
        },
      ],
      [{ _id: null, f: 'it', l: null, lo: 1.5, hi: 4n }],
    ],
    [
      'collects',
      [
        { $match: { desk: 'it' } },
        {
          $group: {
            _id: '$desk',
            ids: { $push: '$_id' },
            none: { $push: '$none' },
            set: { $addToSet: '$desk' },
          },
        },
      ],
      [{ _id: 'it', ids: [1, 3], none: [], set: ['it'] }],
    ],
    [
      'groups by several fields',
      [{ $group: { _id: { d: '$desk', x: '$none' }, n: { $count: {} } } }, { $limit: 1 }],
      [{ _id: { d: 'it' }, n: 2 }],
    ],
    [
      'unwinds',
      [{ $unwind: '$tags' }, { $project: { tags: 1 } }],
      [
        { _id: 1, tags: 'a' },
        { _id: 1, tags: 'b' },
        { _id: 4, tags: 'c' },
      ],
    ],
    [
      'unwinds and keeps what is empty',
      [
        { $unwind: { path: '$tags', includeArrayIndex: 'at', preserveNullAndEmptyArrays: true } },
        { $project: { at: 1 } },
      ],
      [
        { _id: 1, at: 0n },
        { _id: 1, at: 1n },
        { _id: 2, at: null },
        { _id: 3, at: null },
        { _id: 4, at: null },
      ],
    ],
    [
      'sorts, skips and limits',
      [{ $sort: { _id: -1 } }, { $skip: 1 }, { $limit: 2 }, { $project: { _id: 1 } }],
      [{ _id: 3 }, { _id: 2 }],
    ],
    ['counts', [{ $match: { desk: 'it' } }, { $count: 'n' }], [{ n: 2 }]],
    ['counts nothing as nothing', [{ $match: { desk: 'none' } }, { $count: 'n' }], []],
    ['sorts by count', [{ $sortByCount: '$desk' }, { $limit: 1 }], [{ _id: 'it', count: 2 }]],
    [
      'fills buckets',
      [{ $bucket: { groupBy: '$hours', boundaries: [0, 2, 4], default: 'other' } }],
      [
        { _id: 0, count: 1 },
        { _id: 2, count: 1 },
        { _id: 'other', count: 2 },
      ],
    ],
    [
      'sets and unsets',
      [{ $set: { 'x.y': '$_id', tags: '$$REMOVE' } }, { $unset: ['hours', 'desk'] }, { $limit: 1 }],
      [{ _id: 1, x: { y: 1 } }],
    ],
    [
      'sets inside arrays',
      [{ $match: { _id: 1 } }, { $project: { e: [{ a: 1 }, { a: 2 }] } }, { $set: { 'e.b': '$_id' } }],
      [
        {
          _id: 1,
          e: [
            { a: 1, b: 1 },
            { a: 2, b: 1 },
          ],
        },
      ],
    ],
    [
      'replaces the root',
      [{ $limit: 1 }, { $replaceRoot: { newRoot: { $mergeObjects: [{ was: '$_id' }, { x: 1 }] } } }],
      [{ was: 1, x: 1 }],
    ],
    [
      'runs facets',
      [{ $facet: { n: [{ $count: 'n' }], first: [{ $limit: 1 }, { $project: { _id: 1 } }] } }],
      [{ n: [{ n: 4 }], first: [{ _id: 1 }] }],
    ],
    [
      'joins by a field',
      [
        { $lookup: { from: 'desks', localField: 'desk', foreignField: '_id', as: 'd' } },
        { $project: { d: { name: 1 } } },
        { $limit: 1 },
      ],
      [{ _id: 1, d: [{ name: 'IT' }] }],
    ],
    [
      'joins by elements',
      [
        { $limit: 1 },
        { $set: { desk: ['hr', 'it'] } },
        { $lookup: { from: 'desks', localField: 'desk', foreignField: '_id', as: 'd' } },
        { $project: { n: { $size: '$d' } } },
      ],
      [{ _id: 1, n: 2 }],
    ],
    [
      'joins by a pipeline',
      [
        { $limit: 2 },
        {
          $lookup: {
            from: 'desks',
            let: { mine: '$desk' },
            pipeline: [{ $match: { $expr: { $eq: ['$_id', '$$mine'] } } }, { $project: { _id: 0, name: 1 } }],
            as: 'd',
          },
        },
        { $project: { d: 1 } },
      ],
      [
        { _id: 1, d: [{ name: 'IT' }] },
        { _id: 2, d: [{ name: 'HR' }] },
      ],
    ],
    [
      'joins by a field and a pipeline',
      [
        { $limit: 1 },
        {
          $lookup: {
            from: 'desks',
            localField: 'desk',
            foreignField: '_id',
            let: { n: '$_id' },
            pipeline: [{ $set: { n: '$$n' } }],
            as: 'd',
          },
        },
        { $project: { 'd.n': 1 } },
      ],
      [{ _id: 1, d: [{ n: 1 }] }],
    ],
    [
      'unites',
      [
        { $project: { _id: 1 } },
        { $unionWith: { coll: 'desks', pipeline: [{ $match: { _id: 'hr' } }, { $project: { _id: 1 } }] } },
        { $skip: 3 },
      ],
      [{ _id: 4 }, { _id: 'hr' }],
    ],
  ])('%s', (_what, stages, expected) => {
    expect(run(tickets, stages)).toEqual(expected);
  });

  test('adds doubles without losing what is small, and integers beyond 32 bits', () => {
    const total = (values: unknown[]): unknown =>
      run(
        values.map((v) => ({ v })),
        [{ $group: { _id: null, t: { $sum: '$v' } } }],
      )[0]?.t;
    expect(total(new Array(10).fill(0.1))).toEqual(new Double(1));
    expect(total([2147483647, 1])).toBe(2147483648n);
    expect(total([1, 'x', null, 2])).toBe(3);
    expect(total([9007199254740993n, 1])).toBe(9007199254740994n);
    expect(() => total([Decimal128.fromString('0.1'), 1])).toThrow(/Decimal128 is not supported/);
    expect(total([])).toBeUndefined();
  });

  test('takes no more documents than it needs', () => {
    let read = 0;
    function* endless(): Generator<Doc> {
      for (;;) yield { _id: ++read };
    }
    expect(run(endless(), [{ $match: { _id: { $mod: [2, 0] } } }, { $skip: 1 }, { $limit: 2 }])).toHaveLength(
      2,
    );
    expect(read).toBe(6);
  });

  test('asks a joined collection for what an index can find', () => {
    asked.length = 0;
    run(tickets.slice(0, 1), [
      {
        $lookup: {
          from: 'desks',
          let: { d: '$desk' },
          pipeline: [{ $match: { $expr: { $eq: ['$_id', '$$d'] } } }],
          as: 'x',
        },
      },
    ]);
    expect(asked[0]).toMatchObject({ $and: [expect.anything(), { _id: { $eq: 'it' } }] });
  });

  test('asks once for the same key', () => {
    asked.length = 0;
    run(tickets, [{ $lookup: { from: 'desks', localField: 'desk', foreignField: '_id', as: 'x' } }]);
    expect(asked).toHaveLength(3);
  });

  test('changes none of its documents', () => {
    const before = structuredClone(tickets);
    run(tickets, [{ $set: { 'tags.x': 1, hours: 0 } }, { $unwind: '$tags' }, { $unset: 'desk' }]);
    expect(tickets).toEqual(before);
  });

  test.each<[Doc[], number, string]>([
    [[{ $foo: 1 }], 40324, "Unrecognized pipeline stage name: '$foo'"],
    [[{ $densify: {} }], 40324, 'the embedded engine does not have it'],
    [[{ $bucketAuto: { groupBy: '$a', buckets: 2 } }], 40324, 'the embedded engine does not have it'],
    [[{ $documents: [] }], 40324, 'the embedded engine does not have it'],
    [[{ $group: { _id: null, n: { $topN: {} } } }], 15952, "unknown group operator '$topN'"],
    [[{ $changeStream: {} }], 40573, 'only supported on replica sets'],
    [[{ $match: {}, $limit: 1 }], 40323, 'exactly one field'],
    [[{ $limit: 0 }], 15958, 'the limit must be positive'],
    [[{ $group: { n: { $sum: 1 } } }], 15955, 'a group specification must include an _id'],
    [[{ $group: { _id: null, n: { $foo: 1 } } }], 15952, "unknown group operator '$foo'"],
    [[{ $group: { _id: null, n: { $accumulator: {} } } }], 15952, "unknown group operator '$accumulator'"],
    [[{ $unwind: 'a' }], 28818, "should be prefixed with a '$'"],
    [[{ $project: {} }], 51272, 'Invalid $project :: caused by ::'],
    [[{ $sort: {} }], 15976, 'at least one sort key'],
    [[{ $replaceRoot: { newRoot: 1 } }], 40228, 'must evaluate to an object'],
    [[{ $out: 'x' }, { $limit: 1 }], 40601, '$out can only be the final stage'],
    [[{ $facet: { a: [{ $out: 'x' }] } }], 40600, '$out is not allowed to be used within a $facet stage'],
  ])('%j is refused with %i', (stages, code, message) => {
    expect(() => run(tickets, stages)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });

  test('$out may stand last, and nowhere else', () => {
    expect(() => validatePipeline([{ $match: {} }, { $out: 'x' }])).not.toThrow();
    expect(() => validatePipeline([{ $merge: 'x' }, { $match: {} }])).toThrow(/final stage/);
  });
});

describe('what a pipeline asks of the storage', () => {
  test('its first matches, order, skip and limit', () => {
    const rest = [{ $project: { a: 1 } }];
    expect(
      leading([
        { $match: { a: 1 } },
        { $match: { b: 2 } },
        { $sort: { c: 1 } },
        { $skip: 2 },
        { $limit: 3 },
        ...rest,
      ]),
    ).toEqual({
      filter: { $and: [{ a: 1 }, { b: 2 }] },
      sort: { c: 1 },
      skip: 2,
      limit: 3,
      rest,
    });
  });

  test.each<[Doc[], string[] | undefined]>([
    [
      [{ $match: { 'a.b': 1 } }, { $group: { _id: '$c.d', n: { $sum: '$e' } } }],
      ['a', 'c', 'e'],
    ],
    [
      [{ $sort: { x: 1 } }, { $project: { y: 1, z: '$w' } }],
      ['x', 'y', 'z', 'w', '_id'],
    ],
    [[{ $match: { a: 1 } }], undefined],
    [[{ $group: { _id: null, all: { $push: '$$ROOT' } } }], undefined],
    [[{ $project: { a: 0 } }], undefined],
    [[{ $count: 'n' }], []],
  ])('the fields of %j', (stages, expected) => {
    const found = neededFields(stages);
    expect(found && [...found].sort()).toEqual(expected?.sort());
  });
});
