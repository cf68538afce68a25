// The data folder of a machine that brings its own stores: there, writable, with room on the disk, and ours alone.
// The lock is a listening socket, so it dies with the process however that dies; nothing stale can stay behind.
import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Why Switchboard cannot start here, in a sentence for the person who tried: names the variable and the mend. */
export class CannotStart extends Error {
  override name = 'CannotStart';
}

export interface DataFolder {
  path: string;
  /** Where sockets go: inside the folder, or, when that path is too long for a socket, a private temporary one. */
  run: string;
  release(): void;
}

const SOCKET_PATH_MOST = 100;
const FULL = ['ENOSPC', 'EDQUOT'];
const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

export async function openFolder(
  dataDir: string,
  leastFreeMb: number,
  /** How long to wait for an owner that is about to go. */
  patienceMs = 0,
): Promise<DataFolder> {
  const folder = path.resolve(dataDir);
  const run = attempt(folder, () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return runFolder(realpathSync(folder));
  });
  attempt(folder, () => tryToWrite(folder, leastFreeMb > 0));
  const disk = statfsSync(folder);
  const freeMb = Math.floor((disk.bavail * disk.bsize) / 1_000_000);
  if (freeMb < leastFreeMb)
    throw new CannotStart(
      `DATA_DIR: the disk under ${folder} is full (${freeMb} MB left, ${leastFreeMb} MB are needed). Make room, or set DATA_DIR to a folder on another disk.`,
    );
  const lock = await holdLock(path.join(run, 'lock.sock'), folder, Date.now() + patienceMs);
  const release = (): void => {
    lock.close();
    if (!run.startsWith(realpathSync(folder))) rmSync(run, { recursive: true, force: true });
  };
  return { path: realpathSync(folder), run, release };
}

/** Where the sockets of a folder are, whether anything runs on it or not. */
export function socketsOf(folder: string): string {
  const inside = path.join(folder, 'run');
  const short = Buffer.byteLength(inside) + '/engine.sock'.length <= SOCKET_PATH_MOST;
  const mark = createHash('sha256').update(folder).digest('hex').slice(0, 12);
  return short ? inside : path.join(os.tmpdir(), `switchboard-${mark}`);
}

function runFolder(folder: string): string {
  const run = socketsOf(folder);
  mkdirSync(run, { recursive: true, mode: 0o700 });
  const owner = statSync(run);
  if (process.getuid && (owner.uid !== process.getuid() || (owner.mode & 0o022) !== 0))
    throw new CannotStart(
      `DATA_DIR: ${run} must belong to this user alone. Remove it, or use a shorter DATA_DIR.`,
    );
  return run;
}

/** A full disk is no obstacle for who asks for no room: what is there can still be read. */
function tryToWrite(folder: string, needsRoom: boolean): void {
  const file = path.join(folder, `.probe-${process.pid}`);
  try {
    const handle = openSync(file, 'w', 0o600);
    writeSync(handle, Buffer.alloc(64_000));
    fsyncSync(handle);
    closeSync(handle);
  } catch (error) {
    if (needsRoom || !FULL.includes(codeOf(error))) throw error;
  } finally {
    rmSync(file, { force: true });
  }
}

function attempt<T>(folder: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof CannotStart) throw error;
    const code = codeOf(error);
    if (FULL.includes(code))
      throw new CannotStart(
        `DATA_DIR: the disk under ${folder} is full. Make room, or set DATA_DIR to a folder on another disk.`,
      );
    throw new CannotStart(
      `DATA_DIR: ${folder} cannot be written (${code}). Let this user write there, or set DATA_DIR to another folder.`,
    );
  }
}

/** Does a living process listen on this socket? Its greeting, if it has one, is the answer. */
export function listenerOf(socket: string, waitMs = 300): Promise<string | undefined> {
  return new Promise((resolve) => {
    const line = connect(socket);
    let words = '';
    line.setTimeout(waitMs, () => line.destroy());
    line.on('data', (chunk) => {
      words += chunk;
    });
    // Only a refusal means that nobody is there: one who is too busy to answer in time still holds the lock.
    let refused = false;
    line.on('error', () => {
      refused = true;
    });
    line.on('close', () => resolve(refused && words === '' ? undefined : words));
  });
}

async function holdLock(socket: string, folder: string, until: number): Promise<Server> {
  for (let cleared = 0; cleared < 5; ) {
    const server = await listen(socket);
    if (server) {
      if (cleared === 0) return server;
      // Another one may have cleared the same left-over socket in this very moment: whose is it now?
      const mine = statSync(socket, { throwIfNoEntry: false })?.ino;
      await pause(100);
      if (
        statSync(socket, { throwIfNoEntry: false })?.ino === mine &&
        (await listenerOf(socket, 5_000)) === String(process.pid)
      )
        return server;
      server.close();
    }
    const owner = await listenerOf(socket);
    if (owner !== undefined && Date.now() < until) {
      await pause(50);
      continue;
    }
    if (owner !== undefined) {
      const name = owner || (await listenerOf(socket, 3_000));
      throw new CannotStart(
        `DATA_DIR: ${folder} is in use by another Switchboard${name ? ` (process ${name})` : ''}. Stop that one, or set DATA_DIR (and PORT) to others.`,
      );
    }
    rmSync(socket, { force: true });
    cleared += 1;
  }
  throw new CannotStart(`DATA_DIR: ${folder} cannot be locked: others keep trying to use it. Try again.`);
}

function listen(socket: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((line) => {
      line.on('error', () => {});
      line.end(String(process.pid));
    });
    server.unref();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else
        reject(
          new CannotStart(
            `DATA_DIR: no socket can be made at ${socket} (${error.code}). Set DATA_DIR to a local disk.`,
          ),
        );
    });
    server.listen(socket, () => resolve(server));
  });
}
