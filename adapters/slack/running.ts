// Slack at work, from its doors to its verbs: HTTP (mounted in our server) or Socket Mode, one workspace or many.

import type { App as BoltApp, Receiver } from '@slack/bolt';
import { App, ExpressReceiver, SocketModeReceiver } from '@slack/bolt';
import type { RequestHandler } from 'express';
import type { Config } from '../../src/config.ts';
import { Refusal } from '../../src/errors.ts';
import type { Logger } from '../../src/log.ts';
import type { Channel } from '../../src/notify/channel.ts';
import { markWorkspace } from '../../src/places/workspaces.ts';
import { signFor } from '../../src/secrets.ts';
import { hearActions } from './actions.ts';
import { slackChannel } from './channel.ts';
import { isForm } from './commands.ts';
import { connectWorkspace } from './connecting.ts';
import { doorBefore } from './door.ts';
import { hearEvents } from './events.ts';
import { clientOptions, type Host, type Installed, openHost, slackLog } from './host.ts';
import { BOT_SCOPES } from './manifest.ts';
import { hearShortcuts } from './shortcuts.ts';
import { hearSteps } from './steps.ts';
import { hearForms } from './submissions.ts';
import { escaped } from './text.ts';

const SKEW_SECONDS = 300;

export interface Slack {
  channel: Channel;
  doors: { path: string; handler: RequestHandler }[];
  stop: () => Promise<void>;
}

export interface SlackOptions {
  config: Config;
  log: Logger;
  /** Whose the first workspace is. */
  first: { company: string };
  /** Whether events come in here, or this process only speaks and does what others have heard. */
  listens: boolean;
  now?: () => Date;
}

export async function openSlack({ config, log, first, listens, now }: SlackOptions): Promise<Slack> {
  const host = openHost(config, log, first, now);
  const http = config.SLACK_APP_TOKEN ? null : httpReceiver(host);
  const inner: Receiver = http ?? socketReceiver(host);
  const app = new App({
    receiver: doorBefore(inner, host, isForm),
    authorize: async ({ teamId }) => {
      const room = await host.room(teamId ?? '');
      if (!room) throw new Error('this workspace is none of ours');
      return { botToken: room.token, botId: room.botId, botUserId: room.botUser, teamId: teamId ?? '' };
    },
    clientOptions: clientOptions(config, log),
    logger: slackLog(log),
    convoStore: false,
  });
  hearAll(app, host);
  // Slack may be away when we start: then it is asked again when somebody there speaks.
  await host.ready().catch((error) => log.warn({ reason: String(error) }, 'slack does not answer yet'));
  if (listens && !http) await inner.start();
  return {
    channel: slackChannel(host),
    doors:
      listens && http ? [{ path: '/slack', handler: door(http.router as unknown as RequestHandler) }] : [],
    stop: async () => {
      host.close();
      if (listens && !http) await inner.stop();
    },
  };
}

function hearAll(app: BoltApp, host: Host): void {
  hearShortcuts(app, host);
  hearSteps(app, host);
  hearActions(app, host);
  hearForms(app, host);
  hearEvents(app, host);
  // What a listener throws goes to the inbox as it is, to be tried again or given up.
  app.error(async (error) => {
    throw (error as { original?: unknown }).original ?? error;
  });
}

/** Bolt lets times from the future pass, and wants the form's content type bare. */
const door =
  (router: RequestHandler): RequestHandler =>
  (req, res, next) => {
    const at = req.get('x-slack-request-timestamp');
    if (req.method === 'POST' && at !== undefined) {
      const off = Math.abs(Number(at) - Date.now() / 1000);
      if (!/^\d{1,12}$/.test(at) || off > SKEW_SECONDS) return void res.status(401).end();
    }
    const kind = req.headers['content-type'];
    if (kind?.includes(';')) req.headers['content-type'] = kind.split(';')[0]?.trim().toLowerCase();
    req.url = req.originalUrl;
    return router(req, res, next);
  };

function httpReceiver(host: Host) {
  const { config, log } = host;
  const publicUrl = String(config.PUBLIC_URL).replace(/\/$/, '');
  const many = !config.SLACK_BOT_TOKEN && config.SLACK_CLIENT_ID && config.SLACK_CLIENT_SECRET;
  return new ExpressReceiver({
    signingSecret: config.SLACK_SIGNING_SECRET ?? '',
    endpoints: '/slack/events',
    logger: slackLog(log),
    bodyLimit: '1mb',
    processEventErrorHandler: async ({ error, response }) => {
      const away = error as unknown;
      const seconds = away instanceof Refusal ? (away.retryAfter ?? 1) : 1;
      if (!(away instanceof Refusal)) log.error({ err: away }, 'slack: not taken');
      if (!response.headersSent) response.writeHead(503, { 'Retry-After': String(seconds) }).end();
      return true;
    },
    unhandledRequestHandler: ({ response }) => {
      if (!response.headersSent) response.writeHead(503, { 'Retry-After': '1' }).end();
    },
    ...(many
      ? {
          clientId: String(config.SLACK_CLIENT_ID),
          clientSecret: String(config.SLACK_CLIENT_SECRET),
          stateSecret: signFor('slack install', 'state'),
          scopes: BOT_SCOPES,
          redirectUri: `${publicUrl}/slack/oauth_redirect`,
          installationStore: installations(host),
          installerOptions: {
            redirectUriPath: '/slack/oauth_redirect',
            directInstall: true,
            clientOptions: clientOptions(config, log),
            ...(config.SLACK_API_URL
              ? { authorizationUrl: `${new URL(config.SLACK_API_URL).origin}/oauth/v2/authorize` }
              : {}),
            callbackOptions: {
              success: (installation, _options, _req, res) => {
                const { claim } = installation as unknown as { claim?: string };
                const words = claim
                  ? `One more step: an administrator enters this code in Switchboard to say whose workspace it is: <code>${escaped(claim)}</code>`
                  : 'Switchboard is installed. Type /ticket in any channel.';
                res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
                res.end(`<!doctype html><title>Switchboard</title><p>${words}</p>`);
              },
            },
          },
        }
      : {}),
  });
}

type Store = NonNullable<ConstructorParameters<typeof ExpressReceiver>[0]['installationStore']>;

/** Installations are kept sealed; the first workspace is bound at once, the next ones wait to be claimed. */
function installations(host: Host): Store {
  return {
    async storeInstallation(installation) {
      const team = installation.team;
      const { bot } = installation;
      if (!team || !bot) throw new Refusal('invalid', 'slack.install', 'Install the app into a workspace.');
      const installed: Installed = { token: bot.token, botUser: bot.userId, botId: bot.id };
      const { claim } = await connectWorkspace(team.id, team.name ?? team.id, installed, host.first);
      if (claim) Object.assign(installation, { claim });
    },
    async fetchInstallation() {
      throw new Error('installations are read by the host');
    },
    async deleteInstallation({ teamId }) {
      if (teamId) await markWorkspace('slack', teamId, 'gone', 'removed');
    },
  };
}

function socketReceiver(host: Host): Receiver {
  const { config, log } = host;
  return new SocketModeReceiver({
    appToken: config.SLACK_APP_TOKEN ?? '',
    logger: slackLog(log),
    installerOptions: { clientOptions: clientOptions(config, log) },
    // Not acknowledged: Slack sends it again.
    processEventErrorHandler: async ({ error }) => {
      log.warn({ reason: String(error) }, 'slack: not taken');
      return false;
    },
  });
}
