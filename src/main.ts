// Switchboard from start to stop, as a list: read the configuration, connect, start the roles asked for; stop them in
// reverse.
import { pathToFileURL } from 'node:url';
import { startHttp } from '../adapters/http/index.ts';
import { startSlack } from '../adapters/slack/index.ts';
import { type Config, ConfigError, loadConfig } from './config.ts';
import { Refusal } from './errors.ts';
import { openStorage } from './files/choosing.ts';
import { settleInbox } from './inbox.ts';
import { type Logger, openLog } from './log.ts';
import { FIRST_COMPANY, firstStart } from './people/companies.ts';
import { useSecretKey } from './secrets.ts';
import { useSla } from './sla/rules.ts';
import { buildIndexes, connectStore, disconnectStore, pingStore } from './store.ts';
import { useTicketSettings } from './tickets/settings.ts';
import { openRedis, pingRedis, reachRedis } from './workers/redis.ts';
import { startWorkers } from './workers/workers.ts';

export interface Running {
  /** Where the API listens; empty when this process has no api role. */
  url: string;
  config: Config;
  /** Everything that is due has been done. */
  drain: () => Promise<void>;
  stop: () => Promise<void>;
}

export async function run(
  config: Config = loadConfig(),
  log: Logger = openLog(config.LOG_LEVEL),
  database?: string,
): Promise<Running> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const one of stops.splice(0).reverse())
      await one().catch((error) => log.error({ err: error }, 'stopping'));
  };
  const has = (role: Config['ROLES'][number]) => config.ROLES.includes(role);
  try {
    useSecretKey(config.SECRET_KEY);
    useTicketSettings({ reopenWindowDays: config.TICKET_REOPEN_WINDOW_DAYS });
    useSla(config.SLA_ENABLED);
    const patienceMs = config.START_PATIENCE_SECONDS * 1_000;
    await connectStore({ uri: config.MONGODB_URI, log, patienceMs, ...(database ? { database } : {}) });
    stops.push(disconnectStore);
    await openStorage(config);
    const redis = openRedis(config.REDIS_URL, log);
    stops.push(async () => redis.disconnect());
    await reachRedis(redis, config.REDIS_URL, patienceMs);
    await buildIndexes(log);
    await firstStart(config, log);
    stops.push(settleInbox);

    let drain = async () => {};
    if (has('worker')) {
      const workers = startWorkers({ redis, prefix: config.REDIS_PREFIX, log });
      stops.push(workers.stop);
      drain = workers.drain;
    }
    const slack = has('slack') ? await startSlack({ config, log, first: { company: FIRST_COMPANY } }) : null;
    if (slack) stops.push(slack.stop);
    let url = '';
    if (has('api')) {
      const http = await startHttp({
        config,
        log,
        checks: { mongodb: pingStore, redis: () => pingRedis(redis) },
        doors: slack?.doors ?? [],
      });
      stops.push(http.stop);
      url = http.url;
      log.info({ url, roles: config.ROLES }, 'switchboard listens');
    }
    return { url, config, drain, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The sentence for a person at a terminal; anything else is a bug and keeps its trace. */
export function startFailure(error: unknown): string {
  return error instanceof ConfigError || error instanceof Refusal
    ? error.message
    : String((error as Error).stack);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    const running = await run();
    for (const name of ['SIGINT', 'SIGTERM'] as const)
      process.once(name, () => void running.stop().then(() => process.exit(0)));
  } catch (error) {
    process.stderr.write(`${startFailure(error)}\n`);
    process.exit(1);
  }
}
