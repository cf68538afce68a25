// One thing that somebody did in Slack, made ready: whose workspace, which person, which desk, and how to answer them
// alone. The one place where what goes wrong is caught and told.
import { randomBytes } from 'node:crypto';
import type { WebClient } from '@slack/web-api';
import { type Ctx, systemCtx } from '../../src/context.ts';
import { Refusal } from '../../src/errors.ts';
import { type Where, whereIs } from '../../src/places/channels.ts';
import { isAway } from '../../src/store.ts';
import { type Drawing, trouble } from './blocks.ts';
import { type Background, type Body, keyOf, teamOf } from './door.ts';
import { type Host, isTokenLost, type Room, slackError } from './host.ts';
import { loseToken } from './losing.ts';
import { messageView } from './views.ts';
import { whoIs } from './who.ts';

export interface Call {
  host: Host;
  room: Room;
  client: WebClient;
  user: string;
  channel: string | undefined;
  ctx: Ctx;
  where: Where;
  /** Only they see it. */
  tell: (drawing: Drawing, channel?: string) => Promise<void>;
  /** The message that was pressed on is drawn anew. */
  redraw: (drawing: Drawing) => Promise<void>;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value ? value : undefined);
const part = (body: Body, name: string): Body => (body[name] as Body | undefined) ?? {};

async function post(url: string, drawing: Drawing, more: object): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...drawing, ...more }),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`response_url answered ${answer.status}`);
}

export function whoAndWhere(body: Body): {
  user: string;
  channel: string | undefined;
  url: string | undefined;
} {
  const event = part(body, 'event');
  const user = text(body.user_id) ?? text(part(body, 'user').id) ?? text(event.user) ?? '';
  const channel =
    text(body.channel_id) ??
    text(part(body, 'channel').id) ??
    text(event.channel) ??
    text(part(event, 'item').channel);
  return { user, channel, url: text(body.response_url) };
}

/** An answer for one person: by the answer address of what they did, else where they are, else directly. */
export async function tell(client: WebClient, body: Body, drawing: Drawing, place?: string): Promise<void> {
  const { user, channel, url } = whoAndWhere(body);
  if (url) {
    try {
      await post(url, drawing, { response_type: 'ephemeral', replace_original: false });
      return;
    } catch {
      // used up or too old: the next way
    }
  }
  const here = place ?? channel;
  if (here && user) {
    try {
      await client.chat.postEphemeral({ channel: here, user, ...drawing });
      return;
    } catch {
      // they are not in the channel, or we are not
    }
  }
  if (user) await client.chat.postMessage({ channel: user, ...drawing });
}

export async function callFor(host: Host, body: Body, background: Partial<Background>): Promise<Call> {
  const room = await host.room(teamOf(body));
  if (!room) throw new Refusal('unknown', 'workspace.not_found', 'This workspace is not connected.');
  const { user, channel, url } = whoAndWhere(body);
  const view = part(body, 'view');
  const [actor, where] = await Promise.all([whoIs(host, room, user), whereIs(room.workspace, channel)]);
  const request = background.key ?? `slack:${keyOf(body)}`;
  const { client } = room;
  return {
    host,
    room,
    client,
    user,
    channel,
    where,
    ctx: {
      actor,
      via: 'slack',
      now: host.now,
      log: host.log.child({ request }),
      request,
      cause: request,
      ...(background.redo ? { redo: true } : {}),
    },
    tell: (drawing, place) => tell(client, body, drawing, place),
    redraw: async (drawing) => {
      if (url) await post(url, drawing, { replace_original: true }).catch(() => undefined);
      else if (view.type === 'modal' && view.id) {
        const next = messageView('Ticket', drawing.blocks);
        // Closed meanwhile: nobody looks.
        await client.views.update({ view_id: String(view.id), view: next }).catch(() => undefined);
      }
    },
  };
}

/** Events of which nobody is the actor run under the desk. */
export function deskCtx(host: Host, room: Room, background: Partial<Background>): Ctx {
  const request = background.key ?? 'slack';
  return {
    ...systemCtx({ log: host.log.child({ request }), now: host.now, request }, room.company, 'slack'),
    cause: request,
    ...(background.redo ? { redo: true } : {}),
  };
}

/** Another try may do it: a store or Slack did not answer. */
export function isPassing(error: unknown): boolean {
  if (error instanceof Refusal) return error.kind === 'away' || error.kind === 'busy';
  const { code } = error as { code?: unknown };
  return (
    isAway(error) ||
    code === 'slack_webapi_request_error' ||
    code === 'slack_webapi_http_error' ||
    code === 'slack_webapi_rate_limited_error'
  );
}

/** Words for the person, and a reference where it was our fault. */
export function sayError(host: Host, error: unknown): Drawing {
  if (error instanceof Refusal) return trouble(error.message);
  if (isPassing(error))
    return trouble('The desk cannot be reached at this moment. Nothing was changed: please try again.');
  const reference = randomBytes(5).toString('hex');
  host.log.error({ err: error, reference, slack: slackError(error) }, 'something in slack went wrong');
  return trouble('Something went wrong on our side. Nothing is lost; we have been told.', reference);
}

/** What all of Bolt's listeners are given, as far as we look at it. */
export interface Heard {
  body: object;
  context: object;
  ack?: (() => Promise<void>) | undefined;
}

/**
 * Runs the work of one thing that a person did. A refusal is told to them; what may pass is left to the inbox to try
 * again (in the background) or told (at once); anything else is told with a reference and logged.
 */
export const answering =
  (host: Host, work: (call: Call, args: Heard) => Promise<void>) =>
  async (args: Heard): Promise<void> => {
    const body = args.body as Body;
    const background = args.context as Partial<Background>;
    let call: Call | undefined;
    try {
      // Whoever waits hears at once that they were heard; looking up who they are may take a slow store its time.
      if (!background.stored) await args.ack?.();
      call = await callFor(host, body, background);
      await work(call, args);
    } catch (error) {
      const room = call?.room ?? (await host.room(teamOf(body)).catch(() => undefined));
      if (room && isTokenLost(error)) return loseToken(host, room, error);
      if (background.stored && isPassing(error)) throw error;
      if (!room) throw error;
      await tell(room.client, body, sayError(host, error)).catch((failure) =>
        host.log.warn({ err: failure }, 'a person could not be told in slack'),
      );
    }
  };

/** The same for events, where nobody waits: the inbox decides whether to try again. */
export const hearing =
  (host: Host, work: (room: Room, args: Heard, background: Partial<Background>) => Promise<void>) =>
  async (args: Heard): Promise<void> => {
    const room = await host.room(teamOf(args.body as Body));
    if (!room) return;
    try {
      await work(room, args, args.context as Partial<Background>);
    } catch (error) {
      if (isTokenLost(error)) return loseToken(host, room, error);
      throw error;
    }
  };
