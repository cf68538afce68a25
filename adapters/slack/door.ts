// The door between Slack and Bolt. What may be acknowledged is decided here: an event or a press is stored first (one
// write, keyed by Slack's own id) and acknowledged then; its work is Bolt's, in the background, again and again until it
// is done. When it cannot be stored, Slack hears 503 and sends it again. Only forms go straight through: they change
// nothing, and Slack lets them be opened for three seconds.
import { createHash } from 'node:crypto';
import type { App, Receiver, ReceiverEvent } from '@slack/bolt';
import { Refusal } from '../../src/errors.ts';
import { type Inbound, receive, take } from '../../src/inbox.ts';
import { isAway } from '../../src/store.ts';
import type { Host, Room } from './host.ts';

export const KIND = 'slack';
/** Slack gives up after three seconds; we say so before. */
const STORE_WITHIN_MS = 2_600;

export type Body = Record<string, unknown>;
/** What Slack sends is looked at with care: an object or an empty one, a text or an empty one. */
export const record = (value: unknown): Body =>
  typeof value === 'object' && value !== null ? (value as Body) : {};
export const word = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Presses that open a form, or only change one: nothing to store. */
const OPENS_A_FORM = new Set([
  'ticket_resolve',
  'ticket_reply',
  'ticket_note',
  'home_new',
  'form_desk',
  'form_category',
]);
const HEARD = new Set([
  'message',
  'app_mention',
  'reaction_added',
  'app_home_opened',
  'link_shared',
  'app_uninstalled',
  'tokens_revoked',
  'function_executed',
  'user_change',
  'member_joined_channel',
  'member_left_channel',
]);
/** Our own coming is news as well. */
const MEMBERS = new Set(['member_joined_channel', 'member_left_channel']);
const MESSAGE_KINDS = new Set([
  undefined,
  'file_share',
  'message_changed',
  'message_deleted',
  'thread_broadcast',
  'me_message',
]);

export const teamOf = (body: Body): string => {
  const [authorization] = Array.isArray(body.authorizations) ? (body.authorizations as Body[]) : [];
  const view = record(body.view);
  const team = record(body.team);
  return String(
    authorization?.team_id ??
      view.app_installed_team_id ??
      body.team_id ??
      team.id ??
      record(body.user).team_id ??
      '',
  );
};

/** Not worth keeping: not ours to hear, or our own voice. */
function isNoise(body: Body, room: Room): boolean {
  const event = record(body.event);
  if (!HEARD.has(String(event.type))) return true;
  if (MEMBERS.has(String(event.type))) return false;
  if (event.type === 'message' && !MESSAGE_KINDS.has(event.subtype as string | undefined)) return true;
  // Apps do not talk to apps here: that is how two of them never stop.
  const voices = [event, record(event.message), record(event.previous_message)];
  const apps = [room.botUser, 'USLACKBOT'];
  return voices.some((one) => apps.includes(word(one.user)) || one.bot_id !== undefined);
}

function opensForm(body: Body, isForm: (text: string) => boolean): boolean {
  if (body.command !== undefined) return isForm(String(body.text ?? ''));
  if (body.type === 'block_actions') {
    const [action] = Array.isArray(body.actions) ? (body.actions as Body[]) : [];
    const chosen = record(record(action?.selected_option));
    if (action?.action_id === 'ticket_more') return chosen.value === 'refuse';
    if (action?.action_id === 'ticket_show') return record(body.view).type === 'home';
    return OPENS_A_FORM.has(String(action?.action_id));
  }
  return body.type !== 'event_callback';
}

export const keyOf = (body: Body): string => {
  const own = body.event_id ?? body.trigger_id;
  const view = record(body.view);
  // A form is submitted once, whatever the trigger: its id and hash say which one it was.
  if (body.type === 'view_submission' && view.id) return `${teamOf(body)}:${view.id}:${view.hash ?? ''}`;
  return `${teamOf(body)}:${own ?? createHash('sha256').update(JSON.stringify(body)).digest('hex')}`;
};

/** What is said in one thread is worked on in order, and so is what is pressed on one card: nobody gets in another's way. */
function laneOf(body: Body): string | undefined {
  const event = record(body.event);
  const { channel_id: in_, message_ts: card } = record(body.container);
  if (card) return `slack:${teamOf(body)}:${in_}:${card}`;
  if (event.type === undefined) return undefined;
  const inner = record(event.message);
  const item = record(event.item);
  const channel = event.channel ?? item.channel;
  const thread = event.thread_ts ?? inner.thread_ts ?? inner.ts ?? event.deleted_ts ?? item.ts ?? event.ts;
  const previous = record(event.previous_message).thread_ts;
  return channel ? `slack:${teamOf(body)}:${channel}:${previous ?? thread}` : undefined;
}

export interface Stored {
  body: Body;
}

export async function keep(
  host: Host,
  company: string,
  body: Body,
  withinMs = STORE_WITHIN_MS,
): Promise<void> {
  const stored = take(host.log, KIND, keyOf(body), { body } satisfies Stored, {
    company,
    lane: laneOf(body),
  });
  stored.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Refusal('away', 'store.slow', 'It could not be stored in time.', { retryAfter: 1 })),
      withinMs,
    );
  });
  try {
    await Promise.race([stored, late]);
  } catch (error) {
    if (error instanceof Refusal || !isAway(error)) throw error;
    throw new Refusal('away', 'store.away', 'The store does not answer.', { retryAfter: 1, cause: error });
  } finally {
    clearTimeout(timer);
  }
}

const SORRY = ':warning: The desk cannot be reached at this moment. Nothing was changed: please try again.';

/** Puts the door before Bolt. `isForm` says which commands only open a form. */
export function doorBefore(inner: Receiver, host: Host, isForm: (text: string) => boolean): Receiver {
  async function admit(app: App, event: ReceiverEvent): Promise<void> {
    const body = record(event.body);
    const isEvent = body.type === 'event_callback';
    let room: Room | undefined;
    try {
      room = await host.room(teamOf(body));
    } catch (error) {
      if (!isPerson(body)) throw error;
      return apologise(body, event);
    }
    if (!room) {
      // Uninstalled or never ours: 200, or Slack repeats it three times; and not a word is kept.
      host.log.debug({ team: teamOf(body) }, 'a workspace that is not ours spoke');
      return void (await event.ack());
    }
    if (isEvent && isNoise(body, room)) return void (await event.ack());
    if (opensForm(body, isForm)) return app.processEvent(event);
    try {
      await keep(host, room.company, body);
    } catch (error) {
      if (!isPerson(body)) throw error;
      return apologise(body, event);
    }
    await event.ack();
  }
  return {
    init(app) {
      receive<Stored>(KIND, (message, redo) => background(host, app, message, redo));
      inner.init({ processEvent: (event: ReceiverEvent) => admit(app, event) } as App);
    },
    start: (...args) => inner.start(...args),
    stop: (...args) => inner.stop(...args),
  };
}

const BY_PERSONS = ['block_actions', 'shortcut', 'message_action'];
const isPerson = (body: Body): boolean => body.command !== undefined || BY_PERSONS.includes(word(body.type));
/** Slack repeats neither commands nor presses: the person must do it, and is told so. */
async function apologise(body: Body, event: ReceiverEvent): Promise<void> {
  if (body.command !== undefined) return void (await event.ack(SORRY));
  await event.ack();
  await fetch(String(body.response_url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ response_type: 'ephemeral', replace_original: false, text: SORRY }),
  }).catch(() => undefined);
}

/** What Bolt's listeners find in their context when they run for a stored message. */
export interface Background {
  stored: true;
  key: string;
  redo: boolean;
}

/** While the processor is busy acknowledging, work waits; while it only waits for a store, much is under way. */
const ABREAST = { busy: 2, idle: 32 };
const LOOK_EVERY_MS = 100;
let seen = performance.eventLoopUtilization();
let seenAt = performance.now();
let isBusy = false;
let working = 0;
const turns: (() => void)[] = [];

function beginWhatMay(): void {
  if (performance.now() - seenAt > LOOK_EVERY_MS) {
    const now = performance.eventLoopUtilization();
    isBusy = performance.eventLoopUtilization(now, seen).utilization > 0.9;
    seen = now;
    seenAt = performance.now();
  }
  while (turns.length && working < (isBusy ? ABREAST.busy : ABREAST.idle)) {
    working += 1;
    turns.shift()?.();
  }
}

async function background(host: Host, app: App, message: Inbound<Stored>, redo: boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    turns.push(resolve);
    beginWhatMay();
  });
  try {
    await perform(host, app, message, redo);
  } finally {
    working -= 1;
    beginWhatMay();
  }
}

async function perform(host: Host, app: App, message: Inbound<Stored>, redo: boolean): Promise<void> {
  const { body } = message.payload;
  if (!(await host.room(teamOf(body)))) return;
  const properties: Background = { stored: true, key: message._id, redo };
  await app.processEvent({
    body,
    ack: async () => undefined,
    customProperties: { ...properties },
  });
}
