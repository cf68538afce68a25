// The environment, parsed once. The only reader of process.env. All problems are told at once, by variable name,
// with what to do. No secret has a default: in development they are generated into DATA_DIR, in production required.
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { z } from 'zod';

export const ROLES = ['api', 'worker', 'slack', 'discord', 'email'] as const;
export type RunRole = (typeof ROLES)[number];

const flag = z
  .enum(['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'], 'must be true or false')
  .transform((word) => ['true', '1', 'yes', 'on'].includes(word));
const whole = (least: number, most = Number.MAX_SAFE_INTEGER) =>
  z.coerce
    .number('must be a number')
    .int('must be a whole number')
    .min(least, `must be at least ${least}`)
    .max(most, `must be at most ${most}`);
const secret = z.string().min(32, 'must have at least 32 characters');
const roles = z.string().transform((text, check) => {
  const words = text.split(',').map((word) => word.trim());
  if (words.includes('all')) return [...ROLES];
  const known = words.filter((word): word is RunRole => ROLES.some((role) => role === word));
  const odd = words.find((word) => !ROLES.some((role) => role === word));
  if (odd !== undefined)
    check.addIssue({
      code: 'custom',
      message: `unknown role "${odd}": use all, or some of ${ROLES.join(', ')}`,
    });
  return known;
});

/** Every variable that Switchboard reads. `.env.example` lists the same; a test compares them. */
export const Environment = z.object({
  SWITCHBOARD_ENV: z.enum(['development', 'production', 'test']).default('development'),
  PORT: whole(0, 65_535).default(3000),
  METRICS_PORT: whole(0, 65_535).optional(),
  HOST: z.string().optional(),
  DATA_DIR: z.string().default('./data'),
  DATA_MIN_FREE_MB: whole(0).default(64),
  START_PATIENCE_SECONDS: whole(1, 3_600).optional(),
  PUBLIC_URL: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
  ROLES: roles.default([...ROLES]),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, 'must begin with mongodb:// or mongodb+srv://')
    .optional(),
  REDIS_URL: z
    .string()
    .regex(/^(rediss?:\/\/|unix:\/)/, 'must begin with redis://, rediss:// or unix:/path')
    .optional(),
  REDIS_PREFIX: z.string().default('switchboard'),
  SECRET_KEY: secret.optional(),
  ADMIN_EMAIL: z.email('must be an address').default('admin@company.com'),
  ADMIN_PASSWORD: z.string().min(8, 'must have at least 8 characters').optional(),
  ALLOW_REGISTRATION: flag.optional(),
  CORS_ORIGINS: z.string().optional(),
  TRUST_PROXY: whole(0, 10).default(0),
  BODY_LIMIT: whole(1_000).default(1_000_000),
  ACCESS_TOKEN_EXPIRE_MINUTES: whole(1, 1_440).default(15),
  REFRESH_TOKEN_EXPIRE_DAYS: whole(1, 365).default(30),
  UPLOAD_MAX_FILE_SIZE: whole(1).default(52_428_800),
  UPLOAD_STORAGE_PATH: z.string().optional(),
  S3_BUCKET: z.string().optional(),
  S3_ENDPOINT: z.url('must be a URL').optional(),
  S3_REGION: z.string().default('us-east-1'),
  S3_ACCESS_KEY_ID: z.string().optional(),
  S3_SECRET_ACCESS_KEY: z.string().optional(),
  S3_TIMEOUT_SECONDS: whole(1, 300).default(15),
  CLAMD_HOST: z.string().optional(),
  CLAMD_PORT: whole(1, 65_535).default(3310),
  CLAMD_TIMEOUT_SECONDS: whole(1, 600).default(60),
  TICKET_REOPEN_WINDOW_DAYS: whole(0, 3_650).default(7),
  SLA_ENABLED: flag.default(true),
  NOTIFICATIONS_ENABLED: flag.default(true),
  NOTIFY_BUNDLE_SECONDS: whole(0, 3_600).default(60),
  SLACK_SIGNING_SECRET: z.string().optional(),
  SLACK_BOT_TOKEN: z.string().optional(),
  SLACK_CLIENT_ID: z.string().optional(),
  SLACK_CLIENT_SECRET: z.string().optional(),
  SLACK_APP_TOKEN: z.string().optional(),
  SLACK_API_URL: z.url('must be a URL').optional(),
  SMTP_URL: z
    .string()
    .regex(/^smtps?:\/\//, 'must begin with smtp:// or smtps://')
    .optional(),
  MAIL_FROM: z.string().optional(),
  MAIL_DOMAIN: z.string().optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url('must be a URL').optional(),
});
type Variables = z.infer<typeof Environment>;

export interface Config
  extends Omit<
    Variables,
    'HOST' | 'SECRET_KEY' | 'ADMIN_PASSWORD' | 'MONGODB_URI' | 'REDIS_URL' | 'START_PATIENCE_SECONDS'
  > {
  HOST: string;
  START_PATIENCE_SECONDS: number;
  MONGODB_URI: string;
  REDIS_URL: string;
  SECRET_KEY: string;
  ADMIN_PASSWORD: string;
  ALLOW_REGISTRATION: boolean;
  version: string;
  /** Where the first administrator's password comes from: said by the environment, made just now, or made earlier. */
  passwordIs: 'given' | 'made' | 'kept';
}

export class ConfigError extends Error {
  override name = 'ConfigError';
}

type Words = Record<string, string | undefined>;

function readDotEnv(folder: string): Words {
  const file = path.join(folder, '.env');
  if (!existsSync(file)) return {};
  try {
    return parseEnv(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigError(
      `.env cannot be read (${(error as Error).message}): mend its permissions or remove it.`,
    );
  }
}

/** The environment over `.env`; a variable that is empty counts as missing. */
export function readEnvironment(given: Words = process.env, folder = process.cwd()): Words {
  const words = { ...readDotEnv(folder), ...given };
  for (const [name, value] of Object.entries(words)) if (!value?.trim()) delete words[name];
  return words;
}

/** Everything that can be told wrong before any store runs; where the stores are may still be open. */
export function checkEnvironment(words: Words, open: string[] = ['MONGODB_URI', 'REDIS_URL']): Variables {
  const read = Environment.safeParse(words);
  const problems = read.success
    ? []
    : read.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  const production = words.SWITCHBOARD_ENV === 'production';
  const needed = production ? { ...NEEDED, ...NEEDED_IN_PRODUCTION } : NEEDED;
  if (production)
    for (const [name, isUnfit, mend] of UNFIT_IN_PRODUCTION)
      if (isUnfit(words[name] ?? '')) problems.push(`  ${name}: ${mend}`);
  for (const [name, mend] of Object.entries(needed))
    if (words[name] === undefined && !open.includes(name)) problems.push(`  ${name}: is missing: ${mend}`);
  if (read.success && !problems.length) return read.data;
  const number = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  throw new ConfigError(`The configuration has ${number}:\n${problems.join('\n')}`);
}

const NEEDED = {
  MONGODB_URI: 'set it to your MongoDB, or use `npm start`, which brings an embedded one',
  REDIS_URL: 'set it to your Redis, or use `npm start`, which brings one',
};
const NEEDED_IN_PRODUCTION = {
  SECRET_KEY: 'at least 32 random characters, for example `openssl rand -base64 48`',
  ADMIN_PASSWORD: 'the password of the first administrator',
  PUBLIC_URL: 'the address at which people reach Switchboard',
};
const UNFIT_IN_PRODUCTION: [name: string, isUnfit: (value: string) => boolean, mend: string][] = [
  [
    'SECRET_KEY',
    (value) => value !== '' && new Set(value).size < 12,
    'is too easy to guess: use random characters, for example `openssl rand -base64 48`',
  ],
  [
    'ADMIN_PASSWORD',
    (value) => /^(admin|password|passw0rd|changeme|change-me|secret|letmein|qwerty|12345678)/i.test(value),
    'is one that everybody tries first: choose another',
  ],
  ['LOG_LEVEL', (value) => /^(debug|trace)$/.test(value), 'debug and trace are not for production: use info'],
];

const Kept = z.object({ SECRET_KEY: secret, ADMIN_PASSWORD: z.string().min(8) });

/** Secrets of a development or test installation: made once, kept with mode 0600 beside the data. */
function keptSecrets(dataDir: string): z.infer<typeof Kept> & { fresh: boolean } {
  const file = path.join(dataDir, 'secrets.json');
  const made = {
    SECRET_KEY: randomBytes(32).toString('base64url'),
    ADMIN_PASSWORD: randomBytes(12).toString('base64url'),
  };
  try {
    mkdirSync(dataDir, { recursive: true });
    // Whole or not at all, and never over another one's: two processes may start at once.
    const draft = `${file}.${process.pid}`;
    if (!existsSync(file)) {
      writeFileSync(draft, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 });
      try {
        linkSync(draft, file);
        return { ...made, fresh: true };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      } finally {
        rmSync(draft);
      }
    }
    return { ...Kept.parse(JSON.parse(readFileSync(file, 'utf8'))), fresh: false };
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'its content is damaged';
    throw new ConfigError(
      `DATA_DIR: the secrets in ${file} cannot be read or made (${why}). Mend the folder, restore the file from a backup, or set SECRET_KEY and ADMIN_PASSWORD.`,
    );
  }
}

export function loadConfig(given: Words = process.env, folder = process.cwd()): Config {
  const words = readEnvironment(given, folder);
  const value = checkEnvironment(words, []);
  const production = value.SWITCHBOARD_ENV === 'production';
  const needsKept = !production && !(value.SECRET_KEY && value.ADMIN_PASSWORD);
  const kept = needsKept ? keptSecrets(value.DATA_DIR) : undefined;
  return Object.freeze({
    ...value,
    HOST: value.HOST ?? (production ? '0.0.0.0' : '127.0.0.1'),
    // At a terminal somebody waits for a word; in production the stores may come up after us.
    START_PATIENCE_SECONDS: value.START_PATIENCE_SECONDS ?? (production ? Number.POSITIVE_INFINITY : 40),
    PUBLIC_URL: value.PUBLIC_URL ?? `http://127.0.0.1:${value.PORT}`,
    MONGODB_URI: value.MONGODB_URI ?? '',
    REDIS_URL: value.REDIS_URL ?? '',
    SECRET_KEY: value.SECRET_KEY ?? kept?.SECRET_KEY ?? '',
    ADMIN_PASSWORD: value.ADMIN_PASSWORD ?? kept?.ADMIN_PASSWORD ?? '',
    ALLOW_REGISTRATION: value.ALLOW_REGISTRATION ?? !production,
    passwordIs: value.ADMIN_PASSWORD ? 'given' : kept?.fresh ? 'made' : 'kept',
    version: packageVersion(),
  });
}

/** package.json stands two or three folders up, depending on whether sources or the build are running. */
function packageVersion(): string {
  for (let at = import.meta.dirname; at !== path.dirname(at); at = path.dirname(at)) {
    const file = path.join(at, 'package.json');
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).version;
  }
  return '0.0.0';
}
