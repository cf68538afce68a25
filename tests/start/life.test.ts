// Starting, stopping and being killed: the data stays, and nothing is left running.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { descendants, emptyFolder, endAll, isAlive, type Started, start, until } from '../support/started.ts';

// Whole programs start and stop here, on machines that may be busy.
jest.setTimeout(90_000);
afterAll(endAll);

const family = (started: Started): number[] => descendants(started.pid).map((one) => one.pid);
const allGone = (pids: number[]): Promise<void> =>
  until(`all of ${pids} end`, () => !pids.some((pid) => isAlive(pid)));

function child(started: Started, words: RegExp): number {
  const found = descendants(started.pid).find((one) => words.test(one.words));
  if (!found) throw new Error(`no child ${words} among ${JSON.stringify(descendants(started.pid))}`);
  return found.pid;
}
const REDIS = /^(redis|valkey)-server /;
const ENGINE = /engine\.sock|embedded\/.*(serve|engine|cli)/;

async function signIn({ url }: Started, folder: string): Promise<string> {
  const kept = JSON.parse(readFileSync(path.join(folder, 'data', 'secrets.json'), 'utf8'));
  const answer = await post(url, 'auth/login', {
    email: 'admin@company.com',
    password: kept.ADMIN_PASSWORD,
  });
  return answer.access_token;
}

interface Told {
  access_token: string;
}

async function post(url: string, at: string, body: unknown, token?: string): Promise<Told> {
  const answer = await fetch(`${url}/api/v1/${at}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${at}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Told;
}

async function titles(url: string, token: string): Promise<string[]> {
  const answer = await fetch(`${url}/api/v1/tickets`, { headers: { authorization: `Bearer ${token}` } });
  return ((await answer.json()) as { items: { title: string }[] }).items.map((ticket) => ticket.title);
}

/** A program for whoever looks after the installation, run beside it as `npm run` does. */
const tool = async (folder: string, name: string, ...words: string[]): Promise<string> => {
  const program = path.join(import.meta.dirname, '..', '..', 'dist', `${name}.js`);
  const env = { PATH: process.env.PATH, HOME: process.env.HOME };
  return (await promisify(execFile)(process.execPath, [program, ...words], { cwd: folder, env })).stdout;
};

test('what was needed only to start is given back, and the process goes on', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      ...['--input-type=module', '-e'],
      `import { restOnceStarted } from ${JSON.stringify(path.resolve('dist/src/resting.js'))};
       let waste = Array.from({ length: 300_000 }, (_, at) => ({ at }));
       const before = process.memoryUsage().heapTotal;
       waste = null;
       restOnceStarted(10);
       setTimeout(() => console.log(process.memoryUsage().heapTotal < before * 0.7), 300);`,
    ],
    { timeout: 20_000 },
  );
  expect(stdout.trim()).toBe('true');
});

describe('in an empty folder', () => {
  const folder = emptyFolder();
  let first: Started;
  let last: Started;

  test('it starts, and says where it listens, how to sign in and where the data is', async () => {
    first = await start({ cwd: folder });
    await first.ready();
    await until('the banner', () => first.said().includes('Ctrl-C stops it.'));
    const secrets = path.join(folder, 'data', 'secrets.json');
    const { ADMIN_PASSWORD } = JSON.parse(readFileSync(secrets, 'utf8'));
    for (const fact of [first.url, 'admin@company.com', ADMIN_PASSWORD, path.join(folder, 'data')])
      expect(first.said()).toContain(fact);
    expect(statSync(secrets).mode & 0o777).toBe(0o600);
  });

  test('a second one on the same folder is refused, by name of the folder and its owner', async () => {
    const second = await start({ cwd: folder });
    expect(await second.ended).toBe(1);
    expect(second.said()).toMatch(/^Switchboard cannot start\. DATA_DIR: .* in use by another Switchboard/m);
    expect(second.said()).toContain(`process ${first.pid}`);
    expect((await fetch(`${first.url}/ready`)).status).toBe(200);
  });

  test('SIGTERM stops everything in order, and nobody who is heard is refused', async () => {
    const token = await signIn(first, folder);
    const statuses: number[] = [];
    const clients = Array.from({ length: 8 }, async () => {
      for (;;) {
        const headers = { authorization: `Bearer ${token}` };
        const answer = await fetch(`${first.url}/api/v1/tickets`, { headers }).catch(() => null);
        if (!answer) return;
        statuses.push(answer.status);
        await answer.arrayBuffer().catch(() => null);
      }
    });
    await until('some were answered', () => statuses.length > 20);
    await post(first.url, 'tickets', { title: 'The printer smokes' }, token);
    const pids = family(first);
    expect(pids.length).toBeGreaterThanOrEqual(3);
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    await Promise.all(clients);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
  });

  test('the second start finds the data of the first, and does not tell the password again', async () => {
    const second = await start({ cwd: folder });
    await second.ready();
    expect(await titles(second.url, await signIn(second, folder))).toEqual(['The printer smokes']);
    const { ADMIN_PASSWORD } = JSON.parse(readFileSync(path.join(folder, 'data', 'secrets.json'), 'utf8'));
    expect(second.said()).not.toContain(ADMIN_PASSWORD);
    expect(await tool(folder, 'scripts/doctor')).toMatch(/the database answers[\s\S]*Redis [\d.]+ answers/);
    expect(await tool(folder, 'scripts/replay', '--failed')).toBe('0 messages are due again.\n');
    await tool(folder, 'src/embedded/cli', 'dump', '--data', 'data', '--out', 'while-it-runs');
    second.child.kill('SIGINT');
    expect(await second.ended).toBe(0);
    await tool(folder, 'src/embedded/cli', 'dump', '--data', 'data', '--out', 'at-rest');
    for (const dump of ['while-it-runs', 'at-rest'])
      expect(readFileSync(path.join(folder, dump, 'switchboard', 'tickets.ndjson'), 'utf8')).toContain(
        'The printer smokes',
      );
    await expect(tool(folder, 'src/embedded/cli', 'dump', '--data', 'date')).rejects.toThrow(
      /There is no database in/,
    );
  });

  test('a killed one leaves nothing running, and the next starts at once with all that was acknowledged', async () => {
    const doomed = await start({ cwd: folder });
    await doomed.ready();
    const pids = family(doomed);
    await post(doomed.url, 'tickets', { title: 'Just in time' }, await signIn(doomed, folder));
    doomed.child.kill('SIGKILL');
    await doomed.ended;
    last = await start({ cwd: folder });
    await last.ready();
    await allGone(pids);
    expect(await titles(last.url, await signIn(last, folder))).toContain('Just in time');
  });

  test.each([
    ['Redis', REDIS],
    ['the engine', ENGINE],
  ])('%s that dies is started again', async (name, words) => {
    const before = child(last, words);
    process.kill(before, 'SIGKILL');
    await until('another one', () => {
      const now = descendants(last.pid).find((one) => words.test(one.words));
      return now !== undefined && now.pid !== before;
    });
    await last.ready();
    await post(last.url, 'tickets', { title: `After the fall of ${name}` }, await signIn(last, folder));
  });

  test('a request that never ends does not hold up the stop for more than ten seconds', async () => {
    const line = connect(Number(new URL(last.url).port), '127.0.0.1');
    line.on('error', () => {});
    line.write('POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n');
    line.write('Content-Length: 100\r\n\r\n{');
    await until('the request is being read', async () => (await fetch(`${last.url}/health`)).ok);
    const asked = Date.now();
    last.child.kill('SIGTERM');
    expect(await last.ended).toBe(0);
    expect(Date.now() - asked).toBeLessThan(10_000);
    expect(existsSync(path.join(folder, 'data', 'run', 'redis.sock'))).toBe(false);
  });
});

test('when the npm that started it is killed, it stops too', async () => {
  const folder = emptyFolder();
  const started = await start({ cwd: folder, byNpm: true });
  await started.ready();
  const pids = family(started);
  started.child.kill('SIGKILL');
  await allGone(pids);
});
