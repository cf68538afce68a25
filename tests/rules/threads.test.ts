// A thread is the fold of what was said. Whatever order entries arrive in, and wherever they were carried, it says the same.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Entry, EntryComment } from '../../src/history/entry.ts';
import { namesCalled, threadOf } from '../../src/tickets/threads.ts';

const by = { kind: 'user' as const, id: 'u', name: 'U' };
const entry = (seq: number, action: Entry['action'], more: Partial<Entry>, ticket = 'a'): Entry => ({
  ...{ _id: `${ticket}-${seq}`, ticket, company: 'c', desk: 'd', seq, action, by, via: 'api' },
  ...{ request: 'r', fields: {}, at: new Date(seq * 1_000), ...more },
});
const said = (
  seq: number,
  id: string,
  text: string,
  audience: EntryComment['audience'] = 'public',
  ticket = 'a',
) => entry(seq, 'comment_added', { comment: { id, audience, text } }, ticket);
const edited = (seq: number, id: string, text: string, audience: EntryComment['audience'] = 'public') =>
  entry(seq, 'comment_edited', { comment: { id, audience, text } });
const deleted = (seq: number, id: string) =>
  entry(seq, 'comment_deleted', { comment: { id, audience: 'public' } });

describe('a thread', () => {
  test('says what was said last, and keeps all that was said before', () => {
    const [one] = threadOf([said(1, 'x', 'a'), edited(2, 'x', 'b'), edited(3, 'x', 'c')]);
    expect(one).toMatchObject({ text: 'c', updatedAt: new Date(3_000) });
    expect(one?.revisions.map((each) => each.text)).toEqual(['a', 'b', 'c']);
  });

  test('an edit never changes the audience, whatever it says of itself', () => {
    const [one] = threadOf([said(1, 'x', 'a', 'internal'), edited(2, 'x', 'b', 'public')]);
    expect(one?.audience).toBe('internal');
  });

  test('names no file that is gone, whichever words named it', () => {
    const naming = (seq: number, id: string, ticket = 'a') =>
      entry(seq, 'comment_added', {
        ...{ ticket, comment: { id, audience: 'public', text: 'see', attachments: ['f1', 'f2'] } },
      });
    const gone = entry(3, 'attachment_removed', { facts: { attachment: 'f1', name: 'f1.txt' } });
    const thread = threadOf([naming(1, 'x'), naming(2, 'y', 'b'), gone]);
    expect(thread.map((one) => one.attachments)).toEqual([['f2'], ['f2']]);
  });

  test('what is deleted stays deleted', () => {
    const [one] = threadOf([said(1, 'x', 'a'), deleted(2, 'x'), edited(3, 'x', 'b')]);
    expect(one).toMatchObject({ text: 'a', deletedAt: new Date(2_000) });
  });

  test('what was carried off is marked, and is back once both halves are one ticket again', () => {
    const left = [said(1, 'x', 'a'), entry(3, 'split', { facts: { into: 'b', comments: ['x'] } })];
    expect(threadOf(left)[0]?.movedTo).toBe('b');
    const carried = {
      id: 'x',
      audience: 'public' as const,
      text: 'a',
      author: by,
      writtenAt: new Date(1_000),
    };
    const right = entry(2, 'comment_added', { comment: carried }, 'b');
    expect(threadOf([...left, right])).toMatchObject([
      { text: 'a', movedTo: null, createdAt: new Date(1_000) },
    ]);
  });

  test('does not depend on the order in which entries are read', () => {
    const all = [
      said(1, 'x', 'a'),
      said(2, 'y', 'b'),
      edited(3, 'x', 'c'),
      deleted(4, 'y'),
      said(5, 'z', 'd'),
    ];
    const whole = threadOf(all);
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (shuffled) => {
        expect(threadOf(shuffled)).toEqual(whole);
      }),
    );
  });
});

test.each([
  ['hello @mei, and @Tom!', ['mei', 'tom']],
  ['mail me at a@b.example', []],
  ['(@mei@example.com)', ['mei@example.com']],
  ['@mei.', ['mei']],
  ['@@mei @ mei', []],
])('%j calls %j', (text, names) => {
  expect(namesCalled(text)).toEqual(names);
});
