// `npm run doctor`: looks at the configuration, the stores, their indexes, the queues, what waits and what failed, mail
// and chat; says what to mend. Ends with 1 when something is wrong.
import { createTransport } from 'nodemailer';
import { skewMs, tuneClock } from '../src/clock.ts';
import type { Config } from '../src/config.ts';
import '../src/main.ts';
import { poison } from '../src/notify/poison.ts';
import { countByState } from '../src/notify/receipts.ts';
import { disconnectStore, missingIndexes } from '../src/store.ts';
import { unfiled } from '../src/tickets/unfiled.ts';
import { openQueues } from '../src/workers/queues.ts';
import { openRedis, reachRedis } from '../src/workers/redis.ts';
import { queueNames } from '../src/workers/workers.ts';
import { installation, quiet, reachDatabase } from './installation.ts';

interface Finding {
  level: 'fine' | 'note' | 'wrong';
  words: string;
}
type Examine = (config: Config) => Promise<Finding[]>;

const fine = (words: string): Finding => ({ level: 'fine', words });
const note = (words: string): Finding => ({ level: 'note', words });
const wrong = (words: string): Finding => ({ level: 'wrong', words });
const SKEW_MS = 2_000;
const LATE_MS = 60_000;

const database: Examine = async (config) => {
  await reachDatabase(config);
  await tuneClock();
  const missing = await missingIndexes();
  const skew = Math.round(skewMs());
  return [
    fine('the database answers'),
    ...(Math.abs(skew) > SKEW_MS
      ? [wrong(`this machine's clock is ${skew} ms off the database's: let both keep time by NTP`)]
      : []),
    missing.length
      ? wrong(
          `${missing.length} indexes are missing (${missing.slice(0, 5).join(', ')} ...): start Switchboard once, it builds them`,
        )
      : fine('all indexes are there'),
  ];
};

const redis: Examine = async (config) => {
  const client = openRedis(config.REDIS_URL, quiet);
  const queues = openQueues({ redis: client, prefix: config.REDIS_PREFIX, log: quiet });
  try {
    await reachRedis(client, config.REDIS_URL, 3_000);
    const info = await client.info();
    const fact = (name: string) => new RegExp(`^${name}:(.*)\\r?$`, 'm').exec(info)?.[1]?.trim() ?? '';
    const policy = fact('maxmemory_policy');
    const found: Finding[] = [fine(`Redis ${fact('redis_version')} answers`)];
    if (policy !== 'noeviction')
      found.push(wrong(`Redis may throw jobs away (maxmemory-policy ${policy}): set it to noeviction`));
    if (fact('aof_enabled') !== '1')
      found.push(
        note('Redis keeps no append-only file: after a crash the queues are built again from the database'),
      );
    for (const name of queueNames([{ surface: 'email' }, { surface: 'slack' }])) {
      const counts = await queues.queue(name).getJobCounts('waiting', 'active', 'delayed');
      found.push(
        fine(
          `queue ${name}: ${Object.entries(counts)
            .map(([state, n]) => `${n} ${state}`)
            .join(', ')}`,
        ),
      );
    }
    return found;
  } finally {
    await queues.close();
    client.disconnect();
  }
};

const work: Examine = async () => {
  const found: Finding[] = [];
  const [oldest] = await unfiled(1);
  const age = oldest?.pendingAt ? Date.now() - oldest.pendingAt.getTime() : 0;
  found.push(
    age > LATE_MS
      ? wrong(`changes wait for the relay since ${oldest?.pendingAt?.toISOString()}: is a worker running?`)
      : fine('the relay keeps up'),
  );
  for (const { surface, state, count } of await countByState())
    if (state === 'failed')
      found.push(
        note(`${count} messages by ${surface} failed: npm run replay -- --failed --surface ${surface}`),
      );
    else if (state !== 'sent') found.push(fine(`${count} messages by ${surface}: ${state}`));
  for (const one of await poison(20))
    found.push(wrong(`set aside: ticket ${one._id} (${one.error}): npm run replay -- --ticket ${one._id}`));
  return found;
};

const mail: Examine = async (config) => {
  if (!config.SMTP_URL) return [note('mail is off (SMTP_URL is not set)')];
  const transport = createTransport({
    url: config.SMTP_URL,
    connectionTimeout: 5_000,
    greetingTimeout: 5_000,
  });
  try {
    await transport.verify();
    return [
      fine('the SMTP server takes our name and password'),
      ...(config.MAIL_FROM
        ? []
        : [note('MAIL_FROM is not set: letters come from an address that may not exist')]),
    ];
  } finally {
    transport.close();
  }
};

const slack: Examine = async (config) => {
  if (!config.SLACK_BOT_TOKEN) return [note('Slack has no SLACK_BOT_TOKEN (one workspace)')];
  const base = config.SLACK_API_URL ?? 'https://slack.com/api/';
  const answer = await fetch(new URL('auth.test', base.endsWith('/') ? base : `${base}/`), {
    method: 'POST',
    headers: { authorization: `Bearer ${config.SLACK_BOT_TOKEN}` },
    signal: AbortSignal.timeout(5_000),
  });
  const body = (await answer.json()) as { ok?: boolean; error?: string; team?: string };
  return body.ok
    ? [fine(`Slack knows us in ${body.team ?? 'the workspace'}`)]
    : [wrong(`Slack refuses SLACK_BOT_TOKEN (${body.error}): install the app again and copy the new token`)];
};

const MARKS = { fine: '  ok   ', note: '  note ', wrong: '  WRONG' };

async function main(): Promise<boolean> {
  let healthy = true;
  const say = ({ level, words }: Finding) => {
    healthy &&= level !== 'wrong';
    console.log(`${MARKS[level]} ${words}`);
  };
  const config = installation();
  say(fine(`the configuration can be read (${config.SWITCHBOARD_ENV})`));
  for (const [name, examine] of Object.entries({ database, redis, work, mail, slack }))
    try {
      for (const finding of await examine(config)) say(finding);
    } catch (error) {
      say(wrong(`${name}: ${(error as Error).message}`));
    }
  await disconnectStore();
  return healthy;
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
