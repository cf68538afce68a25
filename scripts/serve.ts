// One process that is Switchboard: sees to its stores, runs the roles, says where everything is, and stops in order.
// `npm start` comes here once packages and build stand; a container starts it directly.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Config, checkEnvironment, loadConfig, readEnvironment } from '../src/config.ts';
import { openStores, type Stores } from '../src/embedded/stores.ts';
import { restOnceStarted } from '../src/resting.ts';

const STOP_MS = 9_500;
/** Errors that are sentences for the person who starts Switchboard; any other is a bug and shows its stack. */
const SENTENCES = ['CannotStart', 'ConfigError', 'Refusal'];

const STORE_LOST = /^Mongo(ServerSelection|Network|PoolCleared|NotConnected)/;

type Stop = () => Promise<void>;
const say = (line: string): void => console.error(line);

export async function serve(): Promise<void> {
  const stops: Stop[] = [];
  stopWhenAsked(stops);
  try {
    const words = readEnvironment();
    const given = checkEnvironment(words);
    const loading = import('../src/main.ts');
    loading.catch(() => {});
    const stores = await openStores({
      dataDir: given.DATA_DIR,
      leastFreeMb: given.DATA_MIN_FREE_MB,
      mongodbUri: given.MONGODB_URI,
      redisUrl: given.REDIS_URL,
      say,
    });
    stops.push(stores.stop);
    const config = loadConfig({ ...words, MONGODB_URI: stores.mongodbUri, REDIS_URL: stores.redisUrl });
    const { run } = await loading;
    const running = await run(config);
    stops.push(running.stop);
    say(banner(config, stores));
    restOnceStarted();
  } catch (error) {
    say(obituary(error));
    await Promise.race([stopAll(stops), pause(STOP_MS)]);
    process.exit(1);
  }
}

function obituary(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (SENTENCES.includes(error.name)) return `Switchboard cannot start. ${error.message}`;
  if (STORE_LOST.test(error.name))
    return `Switchboard cannot start. MONGODB_URI: the database went away (${error.message}).`;
  return error.stack ?? error.message;
}

function banner(config: Config, stores: Stores): string {
  const data = path.resolve(config.DATA_DIR);
  const fact = (name: string, words: string) => `  ${name.padEnd(9)}${words}`;
  const listens = config.ROLES.includes('api');
  return [
    '',
    `Switchboard ${config.version} ${listens ? `is ready at ${config.PUBLIC_URL}` : 'works'}`,
    ...(listens
      ? [
          fact('Sign in', `${config.ADMIN_EMAIL}, ${password(config)}`),
          fact('API', `${config.PUBLIC_URL}/docs`),
        ]
      : []),
    fact('Roles', config.ROLES.join(', ')),
    fact('Data', stores.ownMongodb || stores.ownRedis ? data : 'in your stores'),
    fact(
      'MongoDB',
      stores.ownMongodb ? 'embedded, for one machine; MONGODB_URI moves to a real one' : 'yours',
    ),
    fact('Redis', stores.ownRedis ? 'our own redis-server' : 'yours'),
    'Ctrl-C stops it.',
    '',
  ].join('\n');
}

function password(config: Config): string {
  const kept = path.join(path.resolve(config.DATA_DIR), 'secrets.json');
  if (config.passwordIs === 'given') return 'with the password that you set';
  if (config.passwordIs === 'kept') return `password in ${kept}, unless you changed it`;
  return `password ${config.ADMIN_PASSWORD} (made just now, shown only this once; kept in ${kept})`;
}

async function stopAll(stops: Stop[]): Promise<void> {
  for (let stop = stops.pop(); stop; stop = stops.pop())
    await stop().catch((error: Error) => say(error.message));
}

function stopWhenAsked(stops: Stop[]): void {
  let asked = 0;
  const stop = async (why: string): Promise<void> => {
    asked += 1;
    // npm passes on the Ctrl-C that the terminal has already sent to us: only a third is impatience.
    if (asked > 2) process.exit(130);
    if (asked > 1) return;
    say(`\n${why}: stopping.`);
    const done = await Promise.race([stopAll(stops).then(() => true), pause(STOP_MS, false)]);
    if (!done) say(`Not everything stopped within ${STOP_MS / 1_000} s; leaving it.`);
    process.exit(done ? 0 : 1);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(signal));
  if (!process.env.npm_lifecycle_event) return;
  // An npm that is killed cannot tell us, but then we, or the shell between, have another parent.
  const parent = process.ppid;
  const npm = parentOfShell(parent);
  const look = setInterval(() => {
    if (process.ppid === parent && parentOfShell(parent) === npm) return;
    clearInterval(look);
    void stop('npm is gone');
  }, 100);
  look.unref();
}

/** The parent of a process that is `sh -c ...`; undefined for any other, and where /proc does not tell. */
function parentOfShell(pid: number): string | undefined {
  try {
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[1] !== '-c') return undefined;
    return /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve();
