// The connection to Redis. Redis is a convenience: what it holds can be rebuilt from MongoDB at any time.
import { Redis, type RedisOptions } from 'ioredis';
import { Refusal } from '../errors.ts';
import type { Logger } from '../log.ts';

export function redisOptions(url: string): { url?: string; options: RedisOptions } {
  const path = /^unix:(?:\/\/)?(\/.*)$/.exec(url)?.[1];
  return path ? { options: { path } } : { url, options: {} };
}

export function openRedis(url: string, log: Logger, more: RedisOptions = {}): Redis {
  const { url: address, options } = redisOptions(url);
  const all: RedisOptions = {
    maxRetriesPerRequest: null,
    enableReadyCheck: true,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
    ...options,
    ...more,
  };
  const redis = address ? new Redis(address, all) : new Redis(all);
  let told = false;
  redis.on('error', (error) => {
    if (!told) log.warn({ reason: error.message }, 'redis does not answer');
    told = true;
  });
  redis.on('ready', () => {
    if (told) log.info('redis answers again');
    told = false;
  });
  return redis;
}

/** A clear word at the start, when the address is wrong or nobody is there. */
export async function reachRedis(redis: Redis, url: string, patienceMs: number): Promise<void> {
  const plain = url.replace(/\/\/[^@/]*@/, '//***@');
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(
          new Refusal(
            'away',
            'redis.away',
            `REDIS_URL: no Redis answers at ${plain}. Start it, mend the address, or leave REDIS_URL out to use the one that npm start brings.`,
          ),
        ),
      patienceMs,
    );
    redis.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Does it answer, and take anything? One that is full answers all the same. */
export async function pingRedis(redis: Redis, prefix: string, timeoutMs = 1_000): Promise<void> {
  await Promise.race([
    redis.set(`${prefix}:ready`, '1', 'PX', 60_000),
    new Promise((_, reject) => setTimeout(reject, timeoutMs, new Error('no answer')).unref()),
  ]);
}

const LOOK_EVERY_MS = 5_000;

/**
 * Tells once when Redis answers and takes nothing (its memory or its disk is full), once when that is over, and whenever
 * it comes up with a policy by which it throws jobs away: the sweeps find those again, late.
 */
export function watchRedis(redis: Redis, prefix: string, log: Logger): () => void {
  let trouble = '';
  const look = async () => {
    if (redis.status !== 'ready') return;
    const answer = await pingRedis(redis, prefix).then(
      () => '',
      (error: Error) => (error.name === 'ReplyError' ? error.message : trouble),
    );
    if (answer === trouble) return;
    trouble = answer;
    if (trouble) log.error({ reason: trouble }, 'redis takes nothing: give it memory, or room on its disk');
    else log.info('redis takes everything again');
  };
  const checkPolicy = async () => {
    const [, policy] = /^maxmemory_policy:(\S+)/m.exec(await redis.info('memory')) ?? [];
    if (policy && policy !== 'noeviction')
      log.error({ policy }, 'redis may throw jobs away: set its maxmemory-policy to noeviction');
  };
  const check = () => void checkPolicy().catch(() => undefined);
  redis.on('ready', check);
  if (redis.status === 'ready') check();
  const looking = setInterval(() => void look(), LOOK_EVERY_MS);
  return () => {
    clearInterval(looking);
    redis.off('ready', check);
  };
}
