import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Doc } from '../../src/embedded/documents.ts';
import { compileSort, sortDocs } from '../../src/embedded/ordering.ts';
import { compileProjection, plainFields } from '../../src/embedded/projecting.ts';
import { anyDocument, name } from './values.ts';

const project = (doc: Doc, spec: Doc, filter: Doc = {}): Doc =>
  compileProjection(spec, { filter })?.(doc) ?? doc;

describe('a projection', () => {
  const doc = { _id: 1, a: 1, b: { c: 2, d: 3 }, l: [1, 2, 3, 4], e: [{ x: 1, y: 1 }, { x: 2 }, 5] };

  test.each<[string, Doc, Doc]>([
    ['includes', { a: 1 }, { _id: 1, a: 1 }],
    ['includes without _id', { a: 1, _id: 0 }, { a: 1 }],
    ['includes _id alone', { _id: 1 }, { _id: 1 }],
    ['keeps the order of the document', { l: 1, a: 1 }, { _id: 1, a: 1, l: doc.l }],
    ['includes inside a document', { 'b.c': 1 }, { _id: 1, b: { c: 2 } }],
    ['takes nested documents for paths', { b: { d: true } }, { _id: 1, b: { d: 3 } }],
    ['includes the id of a reference', { 'r.$id': 1 }, { _id: 1 }],
    ['includes inside arrays, where scalars fall away', { 'e.x': 1 }, { _id: 1, e: [{ x: 1 }, { x: 2 }] }],
    ['leaves an empty document where a path leads nowhere', { 'b.z': 1 }, { _id: 1, b: {} }],
    ['excludes', { b: 0, l: 0, e: 0 }, { _id: 1, a: 1 }],
    ['excludes _id alone', { _id: 0 }, { a: 1, b: doc.b, l: doc.l, e: doc.e }],
    ['excludes inside arrays', { a: 0, b: 0, l: 0, 'e.x': 0 }, { _id: 1, e: [{ y: 1 }, {}, 5] }],
    ['slices the first', { a: 1, l: { $slice: 2 } }, { _id: 1, a: 1, l: [1, 2] }],
    ['slices the last of everything', { l: { $slice: -1 }, e: 0, b: 0 }, { _id: 1, a: 1, l: [4] }],
    ['slices a page', { _id: 1, l: { $slice: [1, 2] } }, { _id: 1, l: [2, 3] }],
    ['shows the first element that matches', { e: { $elemMatch: { x: 2 } } }, { _id: 1, e: [{ x: 2 }] }],
    ['shows none where no element matches', { e: { $elemMatch: { x: 9 } } }, { _id: 1 }],
    ['computes', { _id: 0, sum: { $add: ['$a', '$b.c'] }, name: 'x' }, { sum: 3, name: 'x' }],
    ['computes inside documents', { 'b.n': '$a' }, { _id: 1, b: { n: 1 } }],
  ])('%s', (_what, spec, expected) => {
    const shown = project(doc, spec);
    expect(shown).toEqual(expected);
    expect(Object.keys(shown)).toEqual(Object.keys(expected));
  });

  test('shows the element by which the filter matched', () => {
    expect(project(doc, { 'l.$': 1 }, { l: { $gt: 2 } })).toEqual({ _id: 1, l: [3] });
    expect(project(doc, { 'e.$': 1 }, { 'e.x': 2 })).toEqual({ _id: 1, e: [{ x: 2 }] });
  });

  test.each<[Doc, number]>([
    [{ a: 1, b: 0 }, 31254],
    [{ a: 0, b: 1 }, 31253],
    [{ a: 0, b: '$c' }, 31252],
    [{ b: 1, 'b.c': 1 }, 31249],
    [{ 'b.c': 1, b: 1 }, 31250],
    [{ b: {} }, 51270],
    [{ a: { $foo: 1 } }, 168],
  ])('%j is refused with %i', (spec, code) => {
    expect(() => compileProjection(spec)).toThrow(expect.objectContaining({ code }));
  });

  test('of plain top-level fields is known as such', () => {
    expect(plainFields({ a: 1, _id: 0 })).toEqual({ include: true, names: new Set(['a']), id: false });
    expect(plainFields({ a: 0 })).toEqual({ include: false, names: new Set(['a']), id: true });
    expect(plainFields({ 'a.b': 1 })).toBeUndefined();
    expect(plainFields({ a: '$b' })).toBeUndefined();
  });
});

describe('a sort', () => {
  const sorted = (docs: Doc[], spec: Doc, limit?: number): Doc[] =>
    sortDocs(docs, compileSort(spec), { limit });
  const ids = (docs: Doc[]): unknown[] => docs.map((doc) => doc._id);

  test('an array counts as its least element upwards and its greatest downwards, an empty one before null', () => {
    const docs = [
      { _id: 'one', a: [5, 1] },
      { _id: 'two', a: 3 },
      { _id: 'none' },
      { _id: 'empty', a: [] },
      { _id: 'null', a: null },
    ];
    expect(ids(sorted(docs, { a: 1 }))).toEqual(['empty', 'none', 'null', 'one', 'two']);
    expect(ids(sorted(docs, { a: -1 }))).toEqual(['one', 'two', 'none', 'null', 'empty']);
  });

  test('looks through arrays on the way', () => {
    const docs = [
      { _id: 1, a: [{ b: 4 }, { b: 2 }] },
      { _id: 2, a: { b: 3 } },
      { _id: 3, a: [] },
    ];
    expect(ids(sorted(docs, { 'a.b': 1 }))).toEqual([3, 1, 2]);
  });

  test('with a limit is the beginning of the sort without', () => {
    const way = fc.constantFrom(1, -1);
    fc.assert(
      fc.property(
        fc.array(anyDocument, { maxLength: 30 }),
        name,
        name,
        way,
        way,
        fc.nat(12),
        (docs, a, b, x, y, n) => {
          const spec = a === b ? { [a]: x } : { [a]: x, [b]: y };
          expect(sorted(docs, spec, n)).toEqual(sorted(docs, spec).slice(0, n));
        },
      ),
    );
  });

  test.each<[Doc, number]>([
    [{ a: 0 }, 15975],
    [{ a: 'x' }, 15974],
    [{ $a: 1 }, 16410],
  ])('%j is refused with %i', (spec, code) => {
    expect(() => compileSort(spec)).toThrow(expect.objectContaining({ code }));
  });
});
