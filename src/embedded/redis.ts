// Redis as our child, on a unix socket, with its append-only file in the data folder. It is started again when it
// dies, and it never outlives us: its keeper shell holds a pipe from us, and stops Redis when the pipe closes.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync, truncateSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CannotStart, listenerOf } from './folder.ts';
import type { Say } from './redis-program.ts';

export interface EmbeddedRedis {
  /** `unix:/path/redis.sock`, as ioredis reads it. */
  url: string;
  stop(): Promise<void>;
}

export interface RedisOptions {
  program: string;
  dir: string;
  run: string;
  say: Say;
  /** False for tests: nothing is kept on disk. */
  durable?: boolean;
}

// Its standard input ends when we do, however we end. TERM lets Redis write its file out; KILL is for one that hangs.
const KEEPER = `
exec 3<&0
"$@" 3<&- </dev/null &
redis=$!
(
  while read -r _; do :; done <&3
  kill -TERM $redis 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8; do kill -0 $redis 2>/dev/null || exit 0; sleep 1; done
  kill -KILL $redis 2>/dev/null
) &
watch=$!
exec 3<&-
wait $redis
code=$?
kill $watch 2>/dev/null
exit $code
`;
const LOG_MOST = 5_000_000;
const READY_MS = 60_000;

export async function startRedis(options: RedisOptions): Promise<EmbeddedRedis> {
  const { dir, run, say } = options;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const socket = path.join(run, 'redis.sock');
  await waitForFormer(socket);
  let stopping = false;
  let child = await launch(options, socket);

  const watch = (running: ChildProcess): void => {
    running.once('exit', async (code, signal) => {
      running.stdin?.destroy();
      if (stopping) return;
      say(`Redis ended by itself (${signal ?? code}); starting it again.`);
      for (let wait = 100; ; wait = Math.min(wait * 2, 5_000)) {
        await pause(wait);
        if (stopping) return;
        try {
          child = await launch(options, socket);
          say('Redis runs again.');
          return watch(child);
        } catch (error) {
          say((error as Error).message);
        }
      }
    });
  };
  watch(child);

  return {
    url: `unix:${socket}`,
    async stop() {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.stdin?.end();
      await gone;
    },
  };
}

/** After a kill -9 of its parent the former Redis may still be writing out its file: two must not share it. */
async function waitForFormer(socket: string): Promise<void> {
  for (let tries = 0; (await listenerOf(socket, 50)) !== undefined; tries++) {
    if (tries > 100)
      throw new CannotStart(
        `DATA_DIR: a former redis-server still listens on ${socket}. Stop it and try again.`,
      );
    await pause(100);
  }
}

async function launch(options: RedisOptions, socket: string): Promise<ChildProcess> {
  const log = path.join(options.dir, 'redis.log');
  const began = logSize(log);
  const child = spawnKeeper(options, socket, log);
  const until = Date.now() + READY_MS;
  while (Date.now() < until) {
    if (await answersPing(socket)) return child;
    if (child.exitCode !== null || child.signalCode !== null) {
      child.stdin?.destroy();
      const words = readFileSync(log, 'utf8').slice(began).trim();
      if (
        !/reading the append only file|AOF.*(corrupt|format error)|Error reading the (RDB|AOF)/i.test(words)
      )
        throw new CannotStart(`Redis did not start (see ${log}): ${words.split('\n').at(-1) ?? ''}`);
      // Redis holds nothing that is not in MongoDB too: a damaged file is kept for whoever wants it, and left.
      const aside = `${path.join(options.dir, 'appendonlydir')}.damaged-${Date.now()}`;
      renameSync(path.join(options.dir, 'appendonlydir'), aside);
      options.say(
        `The file of Redis is damaged; it was put aside as ${aside}, and its jobs are rebuilt from the database.`,
      );
      return launch(options, socket);
    }
    await pause(20);
  }
  child.stdin?.end();
  throw new CannotStart(`Redis did not answer within ${READY_MS / 1000} s (see ${log}).`);
}

function spawnKeeper(
  { program, dir, durable = true }: RedisOptions,
  socket: string,
  log: string,
): ChildProcess {
  const settings = {
    port: '0',
    unixsocket: socket,
    unixsocketperm: '600',
    dir,
    appendonly: durable ? 'yes' : 'no',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
    'always-show-logo': 'no',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const words = openSync(log, 'a', 0o600);
  try {
    // Its own process group: Ctrl-C is for us, and Redis stops last.
    return spawn('/bin/sh', ['-c', KEEPER, 'keeper', program, ...args], {
      cwd: dir,
      detached: true,
      stdio: ['pipe', words, words],
    });
  } finally {
    closeSync(words);
  }
}

function logSize(log: string): number {
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= LOG_MOST) return size;
  truncateSync(log, 0);
  return 0;
}

function answersPing(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const line = connect(socket);
    const end = (answer: boolean) => {
      line.destroy();
      resolve(answer);
    };
    line.setTimeout(1_000, () => end(false));
    line.on('error', () => end(false));
    line.on('connect', () => line.write('PING\r\n'));
    line.on('data', (chunk) => end(String(chunk).startsWith('+PONG')));
  });
}
