// The stores of an installation, for the programs that look after it: those that the environment names, or the sockets
// of the ones that a running `npm start` brought along. Nothing is started here.
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { type Config, checkEnvironment, loadConfig, readEnvironment } from '../src/config.ts';
import { socketsOf } from '../src/embedded/folder.ts';
import { openLog } from '../src/log.ts';
import { useSecretKey } from '../src/secrets.ts';
import { connectStore } from '../src/store.ts';

export const quiet = openLog('silent');

export function installation(): Config {
  const words = readEnvironment();
  const { DATA_DIR } = checkEnvironment(words);
  const run = existsSync(DATA_DIR) ? socketsOf(realpathSync(DATA_DIR)) : '';
  const there = (socket: string, uri: (at: string) => string) => {
    const at = path.join(run, socket);
    return run && existsSync(at) ? uri(at) : undefined;
  };
  const own = {
    MONGODB_URI: there(
      'engine.sock',
      (at) => `mongodb://${encodeURIComponent(at)}/switchboard?directConnection=true`,
    ),
    REDIS_URL: there('redis.sock', (at) => `unix:${at}`),
  };
  const found = { ...own, ...words };
  if (!found.MONGODB_URI || !found.REDIS_URL)
    throw new Error(
      `No Switchboard runs on ${path.resolve(DATA_DIR)}, and MONGODB_URI and REDIS_URL are not set: npm start, then again.`,
    );
  const config = loadConfig(found);
  useSecretKey(config.SECRET_KEY);
  return config;
}

export async function reachDatabase(config: Config): Promise<void> {
  await connectStore({ uri: config.MONGODB_URI, log: quiet, patienceMs: 3_000 });
}
