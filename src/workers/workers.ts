// The workers of this process, started and stopped together.
import type { Redis } from 'ioredis';
import { sweepInbox } from '../inbox.ts';
import type { Logger } from '../log.ts';
import { startRelay } from './relay.ts';

export interface Workers {
  drain: () => Promise<void>;
  stop: () => Promise<void>;
}

export function startWorkers({ log }: { redis: Redis; prefix: string; log: Logger }): Workers {
  const relay = startRelay(log);
  const sweeping = setInterval(() => void sweepInbox(log).catch(() => undefined), 2_000);
  return {
    drain: relay.drain,
    stop: async () => {
      clearInterval(sweeping);
      await relay.stop();
    },
  };
}
