// What the rooms of this adapter share: configuration, clock, log, the workspaces' clients. Tokens live here and in the
// sealed installations, nowhere else.
import type { Logger as SlackLogger } from '@slack/bolt';
import { LogLevel, WebClient, type WebClientOptions } from '@slack/web-api';
import type { Config } from '../../src/config.ts';
import { Refusal } from '../../src/errors.ts';
import type { Logger } from '../../src/log.ts';
import type { Workspace } from '../../src/places/place.ts';
import { workspaceOf } from '../../src/places/workspaces.ts';
import { listen } from '../../src/signals.ts';
import { connectWorkspace } from './connecting.ts';

/** One workspace as this adapter needs it: whose it is, and how to speak there. */
export interface Room {
  workspace: Workspace;
  company: string;
  client: WebClient;
  token: string;
  botUser: string;
  botId: string;
}

export interface Installed {
  token: string;
  botUser: string;
  botId: string;
}

export interface Host {
  config: Config;
  log: Logger;
  now: () => Date;
  /** The company that the first workspace belongs to. */
  first: { company: string };
  /** Undefined: unknown, unbound or gone; nobody there is heard. */
  room: (team: string) => Promise<Room | undefined>;
  /** For an app with one token: learns whose it is. Throws while Slack does not say. */
  ready: () => Promise<void>;
  ticketUrl: (key: string) => string;
  close: () => void;
}

/** Fresh each time: Bolt and the Socket Mode client write into the options that they are given. */
export function clientOptions(config: Config, log: Logger): WebClientOptions {
  return {
    ...(config.SLACK_API_URL ? { slackApiUrl: config.SLACK_API_URL.replace(/\/?$/, '/') } : {}),
    // The delivery queue retries; a client that waits by itself would hold up every other channel.
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: 10_000,
    maxRequestConcurrency: 50,
    logger: slackLog(log),
  };
}

export function slackLog(log: Logger): SlackLogger {
  let level = LogLevel.WARN;
  const line = (words: unknown[]): string =>
    words.map((word) => (word instanceof Error ? word.message : String(word))).join(' ');
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: (...words) => log.debug({ reason: line(words) }, 'slack library'),
    error: (...words) => log.warn({ reason: line(words) }, 'slack library'),
    setLevel: (next) => {
      level = next;
    },
    getLevel: () => level,
    setName: () => undefined,
  };
}

const LOST = new Set([
  'invalid_auth',
  'token_revoked',
  'token_expired',
  'account_inactive',
  'not_authed',
  'team_access_not_granted',
]);

/** The word by which Slack refused, if it was Slack and a word. */
export function slackError(error: unknown): string | undefined {
  const data = (error as { data?: { error?: unknown } } | undefined)?.data;
  return typeof data?.error === 'string' ? data.error : undefined;
}

export const isTokenLost = (error: unknown): boolean => LOST.has(slackError(error) ?? '');

const FRESH_MS = 1_000;
const STALE_MS = 30_000;
const MOST_ROOMS = 5_000;

export function openHost(
  config: Config,
  log: Logger,
  first: { company: string },
  now = () => new Date(),
): Host {
  const clients = new Map<string, WebClient>();
  const clientFor = (token: string): WebClient => {
    const known = clients.get(token);
    if (known) return known;
    const client = new WebClient(token, clientOptions(config, log));
    clients.set(token, client);
    return client;
  };
  let own: Promise<{ team: string; installed: Installed }> | undefined;

  /** The single token's workspace, asked of Slack once; a failed question is asked again next time. */
  function ownWorkspace(token: string): Promise<{ team: string; installed: Installed }> {
    own ??= (async () => {
      const test = await clientFor(token).auth.test();
      const team = String(test.team_id);
      const known = await workspaceOf('slack', team);
      if (known?.workspace.state !== 'active')
        await connectWorkspace(team, String(test.team ?? team), null, first);
      return {
        team,
        installed: { token, botUser: String(test.user_id), botId: String(test.bot_id) },
      };
    })();
    own.catch(() => {
      own = undefined;
    });
    return own;
  }

  const rooms = new Map<string, { room: Room | undefined; at: number; asking: boolean }>();
  const unlisten = listen('stale', ({ kind, id }) => {
    if (kind === 'workspace') rooms.delete(id.replace(/^slack:/, ''));
  });
  /**
   * Asked on every request. What was known a moment ago answers at once and is looked up again beside it: a slow store
   * must not add its time to every acknowledgement.
   */
  async function room(team: string): Promise<Room | undefined> {
    const known = rooms.get(team);
    const age = known ? performance.now() - known.at : Number.POSITIVE_INFINITY;
    if (known && age < FRESH_MS) return known.room;
    const canWait = known?.room !== undefined && age < STALE_MS;
    if (canWait && known.asking) return known.room;
    if (known) known.asking = true;
    const asked = lookUp(team).then(
      (found) => {
        if (rooms.size > MOST_ROOMS) rooms.clear();
        rooms.set(team, { room: found, at: performance.now(), asking: false });
        return found;
      },
      (error) => {
        if (known) known.asking = false;
        throw error;
      },
    );
    if (!canWait) return asked;
    asked.catch((error) => log.debug({ reason: String(error) }, 'a workspace could not be looked up'));
    return known.room;
  }

  async function lookUp(team: string): Promise<Room | undefined> {
    const single = config.SLACK_BOT_TOKEN;
    let installed: Installed | undefined;
    if (single) {
      const mine = await ownWorkspace(single).catch((error) => {
        throw new Refusal('away', 'slack.away', 'Slack does not say whose token this is.', {
          cause: error,
          retryAfter: 5,
        });
      });
      if (mine.team !== team) return undefined;
      installed = mine.installed;
    }
    const known = await workspaceOf('slack', team);
    if (!known?.workspace.company) return undefined;
    if (known.workspace.state === 'gone' || known.workspace.state === 'unbound') return undefined;
    installed ??= (known.installation as Installed | null) ?? undefined;
    if (!installed) return undefined;
    return {
      ...installed,
      workspace: known.workspace,
      company: known.workspace.company,
      client: clientFor(installed.token),
    };
  }

  return {
    config,
    log,
    now,
    first,
    close: unlisten,
    room,
    ready: async () => {
      if (config.SLACK_BOT_TOKEN) await ownWorkspace(config.SLACK_BOT_TOKEN);
    },
    ticketUrl: (key) => `${String(config.PUBLIC_URL).replace(/\/$/, '')}/tickets/${encodeURIComponent(key)}`,
  };
}
