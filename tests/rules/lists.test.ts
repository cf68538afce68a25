// Lists: following the cursor through any order, with ties and nulls, meets everything once.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Listable, list, type Order, readCursor, writeCursor } from '../../src/lists.ts';

interface Thing {
  _id: string;
  due: Date | null;
}
const worth = (value: unknown) =>
  value === null || value === undefined ? Number.NEGATIVE_INFINITY : Number(value);

/** As MongoDB answers the few operators that lists use; null is the least, and is met by no comparison. */
function fits(thing: Thing, filter: Record<string, unknown>): boolean {
  return Object.entries(filter).every(([name, wanted]) => {
    if (name === '$or') return (wanted as Record<string, unknown>[]).some((one) => fits(thing, one));
    if (name === '$and') return (wanted as Record<string, unknown>[]).every((one) => fits(thing, one));
    const value = thing[name as keyof Thing];
    if (wanted === null || typeof wanted !== 'object' || wanted instanceof Date)
      return name === '_id' ? value === wanted : worth(value) === worth(wanted);
    return Object.entries(wanted).every(([operator, bound]) => {
      if (operator === '$ne') return value !== bound;
      if (value === null) return false;
      const [a, b] = name === '_id' ? [String(value), String(bound)] : [worth(value), worth(bound)];
      return operator === '$gt' ? a > b : a < b;
    });
  });
}

function collectionOf(things: readonly Thing[]): Listable<Thing> {
  return {
    countDocuments: async (filter) => things.filter((one) => fits(one, filter)).length,
    find: (filter) => {
      let found = things.filter((one) => fits(one, filter));
      const cursor = {
        sort(order: Record<string, 1 | -1>) {
          const [field = '', step = 1] = Object.entries(order)[0] ?? [];
          const key = field as keyof Thing;
          const byId = (a: Thing, b: Thing) => (a._id < b._id ? -1 : a._id > b._id ? 1 : 0);
          found = [...found].sort((a, b) => {
            const [x, y] = [worth(a[key]), worth(b[key])];
            return step * (field === '_id' || x === y ? byId(a, b) : x < y ? -1 : 1);
          });
          return cursor;
        },
        skip(count: number) {
          found = found.slice(count);
          return cursor;
        },
        limit(count: number) {
          found = found.slice(0, count);
          return cursor;
        },
        toArray: async () => found,
      };
      return cursor;
    },
  };
}

const orders = fc.record<Order>({
  field: fc.constantFrom('due', '_id'),
  nullable: fc.constant(true),
  direction: fc.constantFrom('asc' as const, 'desc' as const),
});
const things = fc
  .array(fc.option(fc.integer({ min: 0, max: 4 }), { nil: null }), { maxLength: 30 })
  .map((dues) =>
    dues.map(
      (due, at): Thing => ({
        _id: String(at * 7919).padStart(6, '0'),
        due: due === null ? null : new Date(due),
      }),
    ),
  );

describe('a list', () => {
  test('followed by its cursor is the list by pages, and everything once', async () => {
    await fc.assert(
      fc.asyncProperty(things, orders, fc.integer({ min: 1, max: 7 }), async (all, order, pageSize) => {
        const collection = collectionOf(all);
        const draw = (one: Thing) => one._id;
        const whole = await list(collection, {}, order, { page: 1, pageSize: 100 }, draw);
        const met: string[] = [];
        let cursor: string | undefined;
        for (let page = 1; page <= all.length + 1; page++) {
          const byCursor = await list(collection, {}, order, { page: 1, pageSize, cursor }, draw);
          const byNumber = await list(collection, {}, order, { page, pageSize }, draw);
          expect(byCursor.items).toEqual(byNumber.items);
          expect(byCursor.page).toBe(page);
          met.push(...byCursor.items);
          if (byCursor.nextCursor === null) break;
          cursor = byCursor.nextCursor;
        }
        expect(met).toEqual(whole.items);
        expect(new Set(met).size).toBe(all.length);
      }),
      { numRuns: 60 },
    );
  });

  test('has cursors that only it understands, made of plain values', () => {
    const order: Order = { field: 'due', direction: 'asc' };
    const mark = { order, value: new Date(5), id: 'x', page: 2 };
    expect(readCursor(writeCursor(mark), order)).toEqual(mark);
    expect(() => readCursor(writeCursor(mark), { field: 'due', direction: 'desc' })).toThrow();
    expect(() => readCursor(writeCursor(mark), { field: 'name', direction: 'asc' })).toThrow();
    const forged = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');
    for (const cursor of [
      '',
      'x',
      forged(),
      forged('due', 'asc', 'string', { $gt: '' }, 'x', 1),
      forged('due', 'asc', 'object', {}, 'x', 1),
      forged('due', 'asc', 'd', 'now', 'x', 1),
      forged('due', 'asc', 'd', 1e300, 'x', 1),
      forged('due', 'asc', 'n', null, { $ne: 1 }, 1),
      forged('due', 'asc', 'n', null, 'x', 'one'),
    ])
      expect(() => readCursor(cursor, order)).toThrow('does not belong to this list');
  });
});
