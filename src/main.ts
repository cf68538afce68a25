// Switchboard from start to stop, as a list: read the configuration, connect, start the roles asked for; stop them in
// reverse.
import { pathToFileURL } from 'node:url';
import { startEmail } from '../adapters/email/index.ts';
import { type HttpServer, startHttp } from '../adapters/http/index.ts';
import { startSlack } from '../adapters/slack/index.ts';
import { followRules } from './automation/following.ts';
import { hasTurns, takeTurns } from './automation/turns.ts';
import { type Config, ConfigError, loadConfig } from './config.ts';
import { systemCtx } from './context.ts';
import { finishRenames } from './desks/renaming.ts';
import { Refusal } from './errors.ts';
import { followAttachments, sweepFiles } from './files/attachments.ts';
import { openStorage } from './files/choosing.ts';
import { settleInbox } from './inbox.ts';
import { type Logger, openLog } from './log.ts';
import type { Channel } from './notify/channel.ts';
import { FIRST_COMPANY, firstStart } from './people/companies.ts';
import { finishErasures } from './people/erasure.ts';
import { finishMerges } from './people/merging.ts';
import { restOnceStarted } from './resting.ts';
import { isOnCall } from './routing/rotas.ts';
import { openRouter } from './routing/router.ts';
import { useSecretKey } from './secrets.ts';
import { useSla } from './sla/rules.ts';
import { buildIndexes, connectStore, disconnectStore, pingStore } from './store.ts';
import { useTicketSettings } from './tickets/settings.ts';
import { startTracing } from './tracing.ts';
import { openQueues } from './workers/queues.ts';
import { openRedis, pingRedis, reachRedis, watchRedis } from './workers/redis.ts';
import { carrySignals } from './workers/signals.ts';
import { queueNames, startWorkers } from './workers/workers.ts';

export interface Running {
  /** Where the API listens; empty when this process has no api role. */
  url: string;
  config: Config;
  /** Everything that is due has been done. */
  drain: () => Promise<void>;
  stop: () => Promise<void>;
}

/** What a process may bring along besides its configuration. */
export interface Extras {
  /** Further surfaces to deliver to. */
  channels?: readonly Channel[];
}

export async function run(
  config: Config = loadConfig(),
  log: Logger = openLog(config.LOG_LEVEL),
  database?: string,
  { channels: others = [] }: Extras = {},
): Promise<Running> {
  const stops: (() => Promise<unknown>)[] = [];
  let http: HttpServer | undefined;
  const stop = async () => {
    for (const one of [...stops.splice(0), async () => http?.stop()].reverse())
      await one().catch((error) => log.error({ err: error }, 'stopping'));
  };
  const has = (role: Config['ROLES'][number]) => config.ROLES.includes(role);
  const { REDIS_URL, REDIS_PREFIX: prefix } = config;
  try {
    useSecretKey(config.SECRET_KEY);
    useTicketSettings({ reopenWindowDays: config.TICKET_REOPEN_WINDOW_DAYS, isFollowed: hasTurns });
    useSla(config.SLA_ENABLED);
    if (config.OTEL_EXPORTER_OTLP_ENDPOINT)
      stops.push(await startTracing(config.OTEL_EXPORTER_OTLP_ENDPOINT, config.version));
    const patienceMs = config.START_PATIENCE_SECONDS * 1_000;
    const redis = openRedis(REDIS_URL, log, { enableOfflineQueue: false, maxRetriesPerRequest: 1 });
    stops.push(async () => redis.disconnect());
    const unwatch = watchRedis(redis, prefix, log);
    stops.push(async () => unwatch());
    const queues = openQueues({ redis, prefix, log });
    stops.push(queues.close);
    const channels = [...others];

    // The API listens first, so that whoever asks hears what is missing.
    let started = false;
    const checks = {
      mongodb: pingStore,
      redis: () => pingRedis(redis, prefix),
      start: async () => {
        if (!started) throw new Error('still starting');
      },
    };
    const open = { config, log, checks, isStarting: () => !started };
    const { METRICS_PORT: metricsPort } = config;
    if (has('api'))
      http = await startHttp({
        ...open,
        queues: () => queueNames(channels).map((name) => queues.queue(name)),
      });
    else if (metricsPort !== undefined) stops.push((await startHttp({ ...open, metricsPort })).stop);
    await connectStore({ uri: config.MONGODB_URI, log, patienceMs, ...(database ? { database } : {}) });
    stops.push(disconnectStore);
    stops.push(await openStorage(config));
    if (patienceMs < Number.POSITIVE_INFINITY) await reachRedis(redis, REDIS_URL, patienceMs);
    await buildIndexes(log);
    await firstStart(config, log);
    const relays = has('worker');
    stops.push(carrySignals(redis, openRedis(REDIS_URL, log), prefix, log, { relays }));
    await finishMerges(log);
    await finishErasures(log);
    stops.push(settleInbox);

    const mail = await startEmail(config);
    if (mail) stops.push(mail.stop);
    // A worker speaks on every surface that is set up, and takes up what was heard there; the role is for listening.
    const first = { company: FIRST_COMPANY };
    const slack =
      has('slack') || has('worker') ? await startSlack({ config, log, first, listens: has('slack') }) : null;
    if (slack) stops.push(slack.stop);
    http?.mount(slack?.doors ?? []);
    channels.push(...[mail, slack].flatMap((surface) => surface?.channel ?? []));

    let drain = async () => {};
    if (has('worker')) {
      const patient = openRedis(REDIS_URL, log);
      stops.push(async () => patient.disconnect());
      const router = openRouter(log);
      const workers = await startWorkers({
        queues,
        redis: patient,
        prefix,
        log,
        channels,
        bundleMs: config.NOTIFY_BUNDLE_SECONDS * 1_000,
        notifies: config.NOTIFICATIONS_ENABLED,
        isOnCall,
        followers: [followAttachments, followRules(log), router.follow],
        rounds: [
          {
            name: 'automation',
            everyMs: 2_000,
            run: () => takeTurns(log),
            drain: async () => (await takeTurns(log)) > 0,
          },
          {
            name: 'routing',
            everyMs: 4_000,
            run: () => router.round({ patient: true }),
            drain: async () => (await router.round()) > 0,
          },
          {
            name: 'categories',
            everyMs: 10_000,
            run: () => finishRenames(log),
            drain: async () => (await finishRenames(log)) > 0,
          },
          { name: 'files', everyMs: 60_000, run: () => sweepFiles(systemCtx({ log }, FIRST_COMPANY)) },
        ],
      });
      stops.push(workers.stop, router.stop);
      drain = workers.drain;
    }
    started = true;
    const url = http?.url ?? '';
    log.info({ url, roles: config.ROLES }, url ? 'switchboard listens' : 'switchboard works');
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

const STARTING_MS = 5_000;
/** Stores that went away at the same moment may never answer a good-bye. */
const LEAVING_MS = 20_000;

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const running = run();
  // Asked to stop while still starting: what stands by then is stopped in order, and the rest is not waited for.
  const leave = async () => {
    setTimeout(() => process.exit(1), LEAVING_MS).unref();
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, STARTING_MS, undefined).unref());
    await (await Promise.race([running.catch(() => undefined), late]))?.stop();
    process.exit(0);
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => void leave());
  try {
    await running;
    restOnceStarted();
  } catch (error) {
    process.stderr.write(`${startFailure(error)}\n`);
    process.exit(1);
  }
}
