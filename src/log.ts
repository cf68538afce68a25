// The log: the event is the message, facts are fields. Tokens, addresses and bodies are struck out by one list.
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

const SECRET = [
  'password',
  'token',
  'secret',
  'authorization',
  'cookie',
  'apiKey',
  'accessToken',
  'refreshToken',
  'signature',
  'email',
  'address',
  'body',
  'content',
  'description',
  'phoneNumber',
];
const paths = SECRET.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

export function openLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    redact: { paths: [...paths, 'headers["x-api-key"]', '*.headers["x-api-key"]'], censor: '[struck out]' },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  };
  return destination ? pino(options, destination) : pino(options);
}
