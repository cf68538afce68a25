// The data folder and the Redis that Switchboard brings along, by themselves.
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { openFolder } from '../../src/embedded/folder.ts';
import { startRedis } from '../../src/embedded/redis.ts';
import { findRedis } from '../../src/embedded/redis-program.ts';
import { emptyFolder, endAll } from '../support/started.ts';

afterAll(endAll);

describe('the data folder', () => {
  test('is private, and a socket that a killed process left is no lock', async () => {
    const dataDir = path.join(emptyFolder(), 'deep', 'data');
    mkdirSync(path.join(dataDir, 'run'), { recursive: true, mode: 0o700 });
    const socket = path.join(dataDir, 'run', 'lock.sock');
    // A file in the place of the socket refuses connections, as the socket of a dead process does.
    writeFileSync(socket, '');
    const folder = await openFolder(dataDir, 0);
    expect(folder.path).toBe(dataDir);
    await expect(openFolder(dataDir, 0)).rejects.toThrow(/in use by another Switchboard/);
    folder.release();
    (await openFolder(dataDir, 0)).release();
  });

  test('puts its sockets elsewhere when its path is too long for one', async () => {
    const dataDir = path.join(emptyFolder(), 'x'.repeat(120));
    const folder = await openFolder(dataDir, 0);
    expect(folder.run.length).toBeLessThan(90);
    expect(folder.run.startsWith(dataDir)).toBe(false);
    await expect(openFolder(dataDir, 0)).rejects.toThrow(/in use/);
    folder.release();
    expect(existsSync(folder.run)).toBe(false);
  });
});

describe('our Redis', () => {
  const ends: (() => Promise<void>)[] = [];
  const said: string[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  async function begin(folder: string): Promise<Redis> {
    const say = (line: string) => void said.push(line);
    const program = await findRedis(say);
    const server = await startRedis({ program, dir: path.join(folder, 'redis'), run: folder, say });
    const client = new Redis(server.url);
    ends.push(async () => {
      await client.quit();
      await server.stop();
    });
    return client;
  }
  const end = async (): Promise<void> => ends.pop()?.();

  test('never evicts, keeps an append-only file, and listens for nobody else', async () => {
    const client = await begin(emptyFolder());
    const setting = async (name: string) => ((await client.config('GET', name)) as string[])[1];
    expect(await setting('maxmemory-policy')).toBe('noeviction');
    expect(await setting('appendonly')).toBe('yes');
    expect(await setting('appendfsync')).toBe('everysec');
    expect(await setting('port')).toBe('0');
    expect(await setting('unixsocketperm')).toBe('600');
  });

  test('keeps what it was given over a stop', async () => {
    const folder = emptyFolder();
    const first = await begin(folder);
    await first.set('key', 'kept');
    await end();
    const second = await begin(folder);
    expect(await second.get('key')).toBe('kept');
  });

  test('a damaged file is put aside, and it starts without', async () => {
    const folder = emptyFolder();
    const first = await begin(folder);
    await first.set('key', 'kept');
    await end();
    const files = path.join(folder, 'redis', 'appendonlydir');
    const increments = readdirSync(files).find((name) => name.endsWith('.incr.aof')) ?? '';
    appendFileSync(path.join(files, increments), 'this is not what Redis writes\r\n'.repeat(10));
    const second = await begin(folder);
    expect(await second.get('key')).toBeNull();
    expect(said.at(-1)).toMatch(/is damaged; it was put aside as .*appendonlydir\.damaged-/);
    expect(readdirSync(path.join(folder, 'redis')).some((name) => name.includes('.damaged-'))).toBe(true);
  });
});

describe('a machine without Redis', () => {
  const PATH = process.env.PATH ?? '';
  const policyBefore = existsSync('/usr/sbin/policy-rc.d');

  /** A PATH with a few tools, and an apt-get that does this. */
  const machine = (aptGet: string): string => {
    const folder = emptyFolder();
    for (const tool of ['sh', 'rm', 'chmod', 'ln']) {
      const found = PATH.split(':')
        .map((place) => path.join(place, tool))
        .find(existsSync);
      if (found) symlinkSync(found, path.join(folder, tool));
    }
    writeFileSync(path.join(folder, 'apt-get'), `#!/bin/sh\necho "$@" >> ${folder}/asked\n${aptGet}\n`);
    writeFileSync(path.join(folder, 'sudo'), '#!/bin/sh\nshift; [ "$1" = true ] || exec "$@"\n');
    for (const tool of ['apt-get', 'sudo']) chmodSync(path.join(folder, tool), 0o755);
    return folder;
  };

  test('says in two lines how to get it when it may not or cannot install it', async () => {
    const folder = machine('echo "E: no network"; exit 100');
    await expect(findRedis(() => {}, { PATH: folder })).rejects.toThrow(
      /REDIS_URL: no redis-server .*apt install redis-server.*brew install redis.*\n.*docker compose up.*REDIS_URL/,
    );
  });

  test('refuses a Redis that is too old, by its version', async () => {
    const folder = machine('exit 1');
    writeFileSync(path.join(folder, 'redis-server'), '#!/bin/sh\necho "Redis server v=5.0.14 sha=0"\n', {
      mode: 0o755,
    });
    await expect(findRedis(() => {}, { PATH: folder })).rejects.toThrow(
      /version 5\.0, and 6\.2 or newer is needed/,
    );
  });

  test('is given one where packages may be installed, without its service being started', async () => {
    const folder = machine(
      `case "$*" in *install*) printf '#!/bin/sh\necho "Redis server v=7.0.15"\n' > \${0%/*}/redis-server; chmod 755 \${0%/*}/redis-server;; esac`,
    );
    const told: string[] = [];
    const found = findRedis((line) => void told.push(line), { PATH: folder });
    if (!existsSync('/etc/debian_version')) return expect(found).rejects.toThrow(/no redis-server/);
    expect(await found).toBe('redis-server');
    expect(told.join()).toMatch(/Installing redis-server/);
    expect(readFileSync(path.join(folder, 'asked'), 'utf8')).toMatch(
      /install -y --no-install-recommends redis-server/,
    );
    expect(existsSync('/usr/sbin/policy-rc.d')).toBe(policyBefore);
  });
});
