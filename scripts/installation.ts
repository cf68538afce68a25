// The stores of an installation, for the programs that look after it: those that the environment names, or the sockets
// of the ones that a running `npm start` brought along. Nothing is started here.
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { type Config, loadConfig } from '../src/config.ts';
import { openLog } from '../src/log.ts';
import { useSecretKey } from '../src/secrets.ts';
import { connectStore } from '../src/store.ts';

export const quiet = openLog('silent');

export function installation(): Config {
  const config = loadConfig();
  const run = existsSync(config.DATA_DIR) ? path.join(realpathSync(config.DATA_DIR), 'run') : '';
  const engine = path.join(run, 'engine.sock');
  const redis = path.join(run, 'redis.sock');
  useSecretKey(config.SECRET_KEY);
  return {
    ...config,
    MONGODB_URI:
      config.MONGODB_URI ||
      (existsSync(engine) ? `mongodb://${encodeURIComponent(engine)}/switchboard?directConnection=true` : ''),
    REDIS_URL: config.REDIS_URL || (existsSync(redis) ? `unix:${redis}` : ''),
  };
}

export async function reachDatabase(config: Config): Promise<void> {
  if (!config.MONGODB_URI)
    throw new Error(
      'MONGODB_URI is not set, and the embedded database is not running: npm start, then again.',
    );
  await connectStore({ uri: config.MONGODB_URI, log: quiet, patienceMs: 3_000 });
}
