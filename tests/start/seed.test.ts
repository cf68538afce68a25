// Filling a desk with a believable company, by the tool that does it over the API.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openWorld } from '../support/world.ts';

const program = path.resolve(import.meta.dirname, '../../scripts/seed.mjs');

const seed = (...given: string[]) =>
  new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(process.execPath, [program, ...given], (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });

test('it says how it is called, and what is wrong with how it was, in one sentence', async () => {
  const { code, out, err } = await seed('--help');
  expect([code, err]).toEqual([0, '']);
  expect(out).toContain('--tickets');
  const wrong = [['--tickets', 'many'], ['--bogus'], ['extra'], ['--tickets'], ['--url', 'here']];
  for (const told of await Promise.all(wrong.map((given) => seed(...given)))) {
    expect([told.code, told.out]).toEqual([2, '']);
    expect(told.err.trim().split('\n')).toHaveLength(1);
  }
  const alone = await seed('--url', 'http://127.0.0.1:1', '--password', 'x');
  expect([alone.code, alone.err.trim().split('\n').at(-1)]).toEqual([
    1,
    expect.stringContaining('npm start'),
  ]);
});

test('it files what it was asked for, and the second time nothing twice', async () => {
  const world = await openWorld();
  try {
    await world.admin();
    const login = ['--url', world.url, '--password', 'correct horse battery'];
    const first = await seed('--tickets', '40', ...login);
    expect([first.code, first.err]).toEqual([
      0,
      expect.stringContaining('40 filed, 0 were there, 0 refused'),
    ]);
    const again = await seed('--tickets', '50', ...login);
    expect(again.err).toContain('10 filed, 40 were there, 0 refused');
  } finally {
    await world.close();
  }
});
