// Real stores for the whole run: one Redis and one MongoDB (the embedded engine), in a folder that goes with the run.
// MONGODB_URI and REDIS_URL of the environment are used instead when they are set. Tests read TEST_MONGODB_URI and
// TEST_REDIS_URL, and take their own database and key prefix by openWorld (world.ts).
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { launchEngine } from '../../src/embedded/launch.ts';
import { startRedis } from '../../src/embedded/redis.ts';
import { findRedis } from '../../src/embedded/redis-program.ts';

export interface RunningServers {
  stop(): Promise<void>;
}

declare global {
  var testServers: RunningServers | undefined;
}

const say = (line: string): void => console.error(line);

export default async function startServers(): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'switchboard-test-'));
  const stops: (() => Promise<void>)[] = [];
  globalThis.testServers = {
    async stop() {
      await Promise.all(stops.map((stop) => stop()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    process.env.TEST_REDIS_URL = process.env.REDIS_URL ?? (await redis(folder, stops));
    process.env.TEST_MONGODB_URI = process.env.MONGODB_URI ?? (await mongodb(folder, stops));
  } catch (error) {
    await globalThis.testServers.stop();
    throw error;
  }
  for (const name of ['MONGODB_URI', 'REDIS_URL']) delete process.env[name];
}

async function redis(folder: string, stops: (() => Promise<void>)[]): Promise<string> {
  const program = await findRedis(say);
  const server = await startRedis({
    program,
    dir: path.join(folder, 'redis'),
    run: folder,
    say,
    durable: false,
  });
  stops.push(() => server.stop());
  return server.url;
}

/** The engine is a program of its own, which a process can only start from the build. */
async function mongodb(folder: string, stops: (() => Promise<void>)[]): Promise<string> {
  const built = path.resolve(import.meta.dirname, '..', '..', 'dist', 'src', 'embedded', 'launch.js');
  if (!existsSync(built))
    throw new Error('There is no build: run the tests by npm test, or npm run build first.');
  const { launchEngine: launch }: { launchEngine: typeof launchEngine } = await import(built);
  const place = { dataDir: path.join(folder, 'db'), socket: path.join(folder, 'engine.sock') };
  const engine = await launch({ ...place, log: say });
  stops.push(() => engine.stop());
  return engine.uri;
}
