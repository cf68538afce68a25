// The real thing as a person starts it: `scripts/start.mjs` in a process of its own, in an empty folder, with stores of
// its own. What a test starts here is gone when the test file ends, together with everything it brought along.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const root = path.resolve(import.meta.dirname, '..', '..');
const START = path.join(root, 'scripts', 'start.mjs');

export interface Started {
  child: ChildProcess;
  pid: number;
  url: string;
  /** Everything it has said so far. */
  said(): string;
  /** Resolves when GET /ready answers 200. */
  ready(): Promise<void>;
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | string>;
}

const begun: ChildProcess[] = [];
const folders: string[] = [];

export function emptyFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'switchboard-start-'));
  folders.push(folder);
  return folder;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export interface StartOptions {
  env?: Record<string, string>;
  /** Where it is started: where `.env` is read and relative paths begin. */
  cwd?: string;
  /** Arguments of node before the script. */
  node?: string[];
  /** Started by something that stands between, as npm and its shell do; the child is then that something. */
  byNpm?: boolean;
}

const NPM = `sh -c '"$0" "$1"; exit $?' "$0" "$1"; exit $?`;

export async function start({
  env = {},
  cwd = emptyFolder(),
  node = [],
  byNpm,
}: StartOptions = {}): Promise<Started> {
  const port = env.PORT ?? String(await freePort());
  const clean: Record<string, string | undefined> = { PATH: process.env.PATH, HOME: process.env.HOME };
  const [program, args] = byNpm
    ? ['sh', ['-c', NPM, process.execPath, START]]
    : [process.execPath, [...node, START]];
  const child = spawn(program, args, {
    cwd,
    env: { ...clean, PORT: port, ...(byNpm ? { npm_lifecycle_event: 'start' } : {}), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  begun.push(child);
  let words = '';
  const hear = (chunk: Buffer) => {
    words += chunk;
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal);
  const url = `http://127.0.0.1:${port}`;
  return {
    child,
    pid: child.pid ?? 0,
    url,
    said: () => words,
    ended,
    ready: () =>
      until(
        () => `ready: ${words}`,
        async () => {
          if (child.exitCode !== null || child.signalCode !== null) throw new Error(`It ended: ${words}`);
          return (await fetch(`${url}/ready`).catch(() => undefined))?.ok ?? false;
        },
      ),
  };
}

export async function until(
  what: string | (() => string),
  done: () => boolean | Promise<boolean>,
  mostMs = 40_000,
): Promise<void> {
  for (const end = Date.now() + mostMs; Date.now() < end; await pause(50)) if (await done()) return;
  throw new Error(`Not within ${mostMs} ms: ${typeof what === 'string' ? what : what()}`);
}

export const isAlive = (pid: number): boolean => processes().some((one) => one.pid === pid);

/** The processes below this one, with their command lines. */
export function descendants(pid: number): { pid: number; words: string }[] {
  const all = processes();
  const below = (parent: number): typeof all =>
    all.filter((one) => one.parent === parent).flatMap((one) => [one, ...below(one.pid)]);
  return below(pid);
}

function processes(): { pid: number; parent: number; words: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        if (/^State:\s*Z/m.test(status)) return [];
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return [{ pid: Number(name), parent: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]), words }];
      } catch {
        return [];
      }
    });
}

/** For afterAll: ends what is still running and clears the folders. */
export async function endAll(): Promise<void> {
  for (const child of begun.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue;
    const family = descendants(child.pid);
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
    await until('its children end with it', () => !family.some((one) => isAlive(one.pid)));
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
