// The stores of a machine that has none: the data folder, Redis and the database engine, started together and stopped
// in reverse. A store that the environment names is used as it is, and then nothing of ours is started for it.
import path from 'node:path';
import { openFolder } from './folder.ts';
import { launchEngine } from './launch.ts';
import { startRedis } from './redis.ts';
import { findRedis, type Say } from './redis-program.ts';

/** One whose npm was killed notices it a moment later, and stops: the next start may meet it. */
const FORMER_SELF_MS = 3_000;

export interface StoresWanted {
  dataDir: string;
  leastFreeMb: number;
  mongodbUri: string | undefined;
  redisUrl: string | undefined;
  say: Say;
}

export interface Stores {
  mongodbUri: string;
  redisUrl: string;
  ownMongodb: boolean;
  ownRedis: boolean;
  stop(): Promise<void>;
}

export async function openStores(wanted: StoresWanted): Promise<Stores> {
  const { mongodbUri, redisUrl, say } = wanted;
  const own = { ownMongodb: !mongodbUri, ownRedis: !redisUrl };
  if (mongodbUri && redisUrl) return { mongodbUri, redisUrl, ...own, stop: async () => {} };
  const folder = await openFolder(wanted.dataDir, wanted.leastFreeMb, FORMER_SELF_MS);
  const running: { stop(): Promise<void> }[] = [];
  const keep = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const started = await starting;
    running.push(started);
    return started;
  };
  const stop = async (): Promise<void> => {
    await Promise.allSettled(running.map((store) => store.stop()));
    folder.release();
  };
  const redis = async (): Promise<string> => {
    if (redisUrl) return redisUrl;
    const program = await findRedis(say);
    return (await keep(startRedis({ program, dir: path.join(folder.path, 'redis'), run: folder.run, say })))
      .url;
  };
  const engine = async (): Promise<string> => {
    if (mongodbUri) return mongodbUri;
    const place = { dataDir: path.join(folder.path, 'db'), socket: path.join(folder.run, 'engine.sock') };
    const launched = await keep(launchEngine({ ...place, log: say }));
    return launched.uri.replace('/?', '/switchboard?');
  };
  const outcome = await Promise.allSettled([redis(), engine()]);
  const [foundRedis, foundEngine] = outcome;
  if (foundRedis.status === 'fulfilled' && foundEngine.status === 'fulfilled')
    return { redisUrl: foundRedis.value, mongodbUri: foundEngine.value, ...own, stop };
  await stop();
  throw outcome.find((one) => one.status === 'rejected')?.reason;
}
