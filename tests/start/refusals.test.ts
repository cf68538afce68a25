// What a person may get wrong when starting: one clear message that names the variable and the mend, exit code 1, and
// never a stack trace.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { emptyFolder, endAll, type StartOptions, start } from '../support/started.ts';

// Whole programs start and stop here, on machines that may be busy.
jest.setTimeout(90_000);
afterAll(endAll);

async function refusal(options: StartOptions): Promise<string> {
  const started = await start(options);
  expect(await started.ended).toBe(1);
  expect(started.said()).not.toMatch(/^\s+at /m);
  return started.said();
}

/** Stores that need not be there: what is wrong is told before they are asked. */
const NOWHERE = { MONGODB_URI: 'mongodb://127.0.0.1:1/none', REDIS_URL: 'redis://127.0.0.1:1' };

test('a tool that is asked for what it does not know says what it knows', () => {
  const asked = (...words: string[]) => spawnSync(process.execPath, words, { encoding: 'utf8' });
  for (const [said, words] of [
    ["Unknown option '--bogus'", ['scripts/seed.mjs', '--bogus']],
    ['"nowhere" is no address', ['scripts/seed.mjs', '--url', 'nowhere', '--password', 'x']],
    ['"nowhere" is no address', ['--import', 'tsx', 'scripts/manifest.ts', 'nowhere']],
  ] as const) {
    const { status, stderr } = asked(...words);
    expect([status, stderr]).toEqual([expect.any(Number), expect.stringContaining(said)]);
    expect(status).toBeGreaterThan(0);
    expect(stderr).not.toMatch(/^\s+at /m);
  }
});

describe('a variable that is wrong', () => {
  test('all are told at once, by name, with what to do', async () => {
    const said = await refusal({
      env: {
        PORT: 'many',
        ROLES: 'api,cook',
        MONGODB_URI: 'postgres://x',
        REDIS_URL: 'localhost',
        SECRET_KEY: 'short',
      },
    });
    expect(said).toContain('5 problems');
    expect(said).toMatch(/PORT: must be a number/);
    expect(said).toMatch(/ROLES: unknown role "cook": use all, or some of api, worker/);
    expect(said).toMatch(/MONGODB_URI: must begin with mongodb:/);
    expect(said).toMatch(/REDIS_URL: must begin with redis:/);
    expect(said).toMatch(/SECRET_KEY: must have at least 32 characters/);
  });

  test('in production no secret is made up', async () => {
    const said = await refusal({ env: { ...NOWHERE, SWITCHBOARD_ENV: 'production' } });
    for (const name of ['SECRET_KEY', 'ADMIN_PASSWORD', 'PUBLIC_URL'])
      expect(said).toContain(`${name}: is missing`);
  });

  test('in production a secret that is easy to guess is refused, and so is a log of everything', async () => {
    const said = await refusal({
      env: {
        ...NOWHERE,
        SWITCHBOARD_ENV: 'production',
        PUBLIC_URL: 'https://desk.example.com',
        SECRET_KEY: 'a'.repeat(40),
        ADMIN_PASSWORD: 'changeme!',
        LOG_LEVEL: 'debug',
      },
    });
    for (const name of ['SECRET_KEY', 'ADMIN_PASSWORD', 'LOG_LEVEL']) expect(said).toContain(`  ${name}: `);
    expect(said).not.toMatch(/aaaa|changeme/);
  });

  test('.env is read, and the environment stands above it', async () => {
    const cwd = emptyFolder();
    writeFileSync(path.join(cwd, '.env'), 'ROLES=cook\nLOG_LEVEL=loud\n');
    const said = await refusal({ cwd, env: { ROLES: 'api' } });
    expect(said).toMatch(/LOG_LEVEL: /);
    expect(said).not.toMatch(/ROLES: /);
  });

  test('an unreadable .env is told as such', async () => {
    const cwd = emptyFolder();
    mkdirSync(path.join(cwd, '.env'));
    expect(await refusal({ cwd })).toMatch(/\.env cannot be read .*mend its permissions or remove it/);
  });
});

describe('a store that does not answer', () => {
  test('MongoDB', async () => {
    const said = await refusal({ env: { ...NOWHERE, START_PATIENCE_SECONDS: '1' } });
    expect(said).toMatch(
      /cannot start\. MONGODB_URI: no MongoDB answers at mongodb:\/\/127\.0\.0\.1:1\/none/,
    );
  });

  test('Redis, without its password', async () => {
    const MONGODB_URI = process.env.TEST_MONGODB_URI ?? '';
    const REDIS_URL = 'redis://:hunter2@127.0.0.1:1';
    const said = await refusal({ env: { MONGODB_URI, REDIS_URL, START_PATIENCE_SECONDS: '1' } });
    expect(said).toMatch(/cannot start\. REDIS_URL: no Redis answers at redis:\/\/\*\*\*@127\.0\.0\.1:1/);
    expect(said).not.toContain('hunter2');
  });
});

describe('the machine', () => {
  test('an old Node is told which one is needed', async () => {
    const old = `Object.defineProperty(process,'versions',{value:{...process.versions,node:'18.20.4'}})`;
    const said = await refusal({ node: ['--import', `data:text/javascript,${encodeURIComponent(old)}`] });
    expect(said).toMatch(/^Switchboard needs Node 20\.19 or newer, and this is 18\.20\.4\./);
  });

  test('a busy port is told by its number', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    expect(await refusal({ env: { PORT: String(port) } })).toMatch(
      new RegExp(`cannot start\\. PORT: ${port} on 127\\.0\\.0\\.1 is in use\\. .* set PORT`),
    );
    server.close();
  });

  test('a folder that cannot be written', async () => {
    const cwd = emptyFolder();
    writeFileSync(path.join(cwd, 'data'), 'a file, not a folder');
    expect(await refusal({ cwd })).toMatch(
      /cannot start\. DATA_DIR: .*data cannot be written \((EEXIST|ENOTDIR)\)/,
    );
  });

  test('a disk that is full', async () => {
    expect(await refusal({ env: { DATA_MIN_FREE_MB: '1000000000' } })).toMatch(
      /cannot start\. DATA_DIR: the disk under .* is full \(\d+ MB left, 1000000000 MB are needed\)/,
    );
  });

  test('secrets that are damaged are not replaced', async () => {
    const cwd = emptyFolder();
    mkdirSync(path.join(cwd, 'data'));
    writeFileSync(path.join(cwd, 'data', 'secrets.json'), '{"SECRET_KEY":');
    expect(await refusal({ cwd })).toMatch(/DATA_DIR: the secrets in .*secrets\.json cannot be read or made/);
  });
});
