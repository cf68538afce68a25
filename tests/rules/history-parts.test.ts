// What changed in the clocks is told by its parts: put together again they are the whole, and taken back they are what was.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { applied, differences, undone } from '../../src/history/entry.ts';
import { partsOf, same } from '../../src/history/parts.ts';

const date = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });
const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean(), date, fc.constant(null));
const thing = fc.letrec((tie) => ({
  any: fc.oneof({ maxDepth: 3 }, leaf, tie('list'), tie('record')),
  list: fc.array(tie('any'), { maxLength: 4 }),
  record: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('any')),
})).any;

const BLANK = { seq: 0, updatedAt: new Date(0) };
const entryOf = (was: unknown, is: unknown) => ({
  ...{ fields: differences({ sla: was }, { sla: is }), seq: 1, at: new Date(1) },
});

test('whatever it was and is: the parts make the whole', () => {
  fc.assert(
    fc.property(thing, thing, (was, is) => {
      const before = { ...BLANK, sla: was };
      const kept = JSON.stringify(before);
      expect(same(applied(before, entryOf(was, is)).sla, is)).toBe(true);
      expect(JSON.stringify(before)).toBe(kept);
    }),
  );
});

test('lists that grew and values that changed are taken back as they were', () => {
  const was = { terms: 'a', clocks: [{ ledger: [{ kind: 'start' }], fired: [], nextAt: new Date(5) }] };
  const is = {
    ...was,
    clocks: [
      { ledger: [{ kind: 'start' }, { kind: 'met' }], fired: ['warning:75', 'breach'], nextAt: null },
      { ledger: [], fired: [], nextAt: new Date(9) },
    ],
  };
  const entry = entryOf(was, is);
  expect(undone({ sla: is }, entry)).toEqual({ sla: was });
  expect(Object.keys(entry.fields)).toEqual([
    'sla.clocks.0.ledger.1',
    'sla.clocks.0.fired.0',
    'sla.clocks.0.fired.1',
    'sla.clocks.0.nextAt',
    'sla.clocks.1',
  ]);
});

test('what has lost something is told as a whole, and what is the same is not told', () => {
  expect(partsOf('sla', { owed: [1, 2], a: 1 }, { owed: [2], a: 1 })).toEqual({ 'sla.owed': [[1, 2], [2]] });
  expect(partsOf('sla', null, { a: 1 })).toEqual({ sla: [null, { a: 1 }] });
  expect(partsOf('sla', { at: new Date(3) }, { at: new Date(3) })).toEqual({});
});
