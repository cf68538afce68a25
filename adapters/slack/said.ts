// A message as Slack hands it out: where it stands, who wrote it, what it says as Markdown, and the thread around it.
import { Refusal } from '../../src/errors.ts';
import { member } from '../../src/people/members.ts';
import type { Conversation } from '../../src/tickets/ticket.ts';
import { type Host, isTokenLost, type Room, slackError } from './host.ts';
import { toMarkdown } from './mrkdwn.ts';
import { known } from './profiles.ts';
import { clipPlain } from './text.ts';
import { namesIn } from './who.ts';

/** As Slack describes a file; at times only by its id, to be asked for. */
export interface SlackFile {
  id: string;
  name?: string;
  mimetype?: string;
  url_private?: string;
  url_private_download?: string;
  file_access?: string;
}

/** As events and `conversations.replies` give it. */
export interface Said {
  ts: string;
  text?: string;
  user?: string;
  bot_id?: string;
  thread_ts?: string;
  subtype?: string;
  edited?: { ts?: string };
  files?: (Omit<SlackFile, 'id'> & { id?: string })[];
  blocks?: unknown[];
  attachments?: unknown[];
  metadata?: { event_type?: string; event_payload?: Record<string, unknown> };
}

export function conversationAt(
  room: Room,
  channel: string,
  root: string,
  audience: Conversation['audience'] = 'public',
): Conversation {
  const workspace = room.workspace.external;
  return {
    id: `slack:${workspace}:${channel}:${root}`,
    surface: 'slack',
    audience,
    at: { workspace, channel, thread: root },
  };
}
/** Where a comment came from: its conversation, then the message. */
export const originOf = (conversation: string, ts: string): string => `${conversation}/${ts}`;

/** The words of a message, wherever its writer put them: other apps leave the text empty and fill blocks. */
export function wordsOf(said: Said): string {
  if (said.text?.trim()) return said.text;
  const found: string[] = [];
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) for (const one of value) walk(one);
    else if (typeof value === 'object' && value !== null) {
      const one = value as Record<string, unknown>;
      if (typeof one.text === 'string') found.push(one.text);
      else if (typeof one.fallback === 'string') found.push(one.fallback);
      for (const part of Object.values(one)) if (typeof part === 'object') walk(part);
    }
  };
  walk(said.blocks);
  walk(said.attachments);
  return found.join('\n');
}

/** Markdown of a message: mentions of our users by the name that makes them watchers. */
export async function markdownOf(host: Host, room: Room, said: Said): Promise<string> {
  const text = wordsOf(said);
  const { ids, user } = await namesIn(host, room, text);
  const called = new Map<string, string>();
  await Promise.all(
    ids.map(async (id) => {
      const actor = await known(room, id);
      const found = actor?.kind === 'user' ? await member(actor.id) : null;
      if (found) called.set(id, found.username);
    }),
  );
  return toMarkdown(text, { user: (id) => called.get(id) ?? user(id) });
}

const MOST_PAGES = 10;

/**
 * The messages of a thread, its first one first; none when it is gone. A public channel is joined for it; into a private
 * one somebody must invite us.
 */
export async function thread(room: Room, channel: string, ts: string): Promise<Said[]> {
  const all: Said[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await replies(room, channel, ts, { limit: 200, ...(cursor ? { cursor } : {}) });
    // Each page begins with the first message again.
    all.push(...answer.messages.filter((one) => !page || one.ts !== ts));
    cursor = answer.next;
    if (!cursor) break;
  }
  return all;
}

/** One message and the first one of its thread, as they are now; undefined when they are gone. */
export async function messageAt(
  room: Room,
  channel: string,
  ts: string,
): Promise<{ said: Said; root: Said } | undefined> {
  const said =
    (await replies(room, channel, ts, { limit: 1 })).messages[0] ?? (await inChannel(room, channel, ts));
  if (!said || isGone(said)) return undefined;
  if (!said.thread_ts || said.thread_ts === said.ts) return { said, root: said };
  const [root] = (await replies(room, channel, said.thread_ts, { limit: 1 })).messages;
  return root && !isGone(root) ? { said, root } : undefined;
}

/** As the channel itself tells it, where there is no thread to be read. */
async function inChannel({ client }: Room, channel: string, ts: string): Promise<Said | undefined> {
  const about = { channel, latest: ts, oldest: ts, inclusive: true, limit: 1 };
  const answer = await client.conversations.history(about).catch((error) => {
    if (slackError(error) === undefined || isTokenLost(error)) throw error;
    return { messages: [] };
  });
  return ((answer.messages ?? []) as Said[]).find((one) => one.ts === ts);
}

/** Deleted, but answers hang on it: Slack leaves a message of its own in the place. */
export const isGone = (said: Said): boolean => said.subtype === 'tombstone' || said.user === 'USLACKBOT';

export const isPerson = (said: Said, room: Room): boolean =>
  Boolean(said.user) && !said.bot_id && said.user !== room.botUser && !isGone(said);

async function replies(
  { client: { conversations } }: Room,
  channel: string,
  ts: string,
  more: { limit: number; cursor?: string },
): Promise<{ messages: Said[]; next: string | undefined }> {
  const ask = () => conversations.replies({ channel, ts, include_all_metadata: true, ...more });
  const answer = await ask().catch(async (error) => {
    const word = slackError(error) ?? '';
    if (GONE.has(word)) return { messages: [], response_metadata: undefined };
    if (!OUTSIDE.has(word)) throw error;
    try {
      await conversations.join({ channel });
      return await ask();
    } catch {
      throw new Refusal(
        'refused',
        'slack.not_in_channel',
        'I cannot read this channel: invite me to it first.',
      );
    }
  });
  return {
    messages: (answer.messages ?? []) as Said[],
    next: answer.response_metadata?.next_cursor || undefined,
  };
}
const OUTSIDE = new Set(['not_in_channel', 'channel_not_found']);
const GONE = new Set(['thread_not_found', 'message_not_found']);

export const filesOf = (said: Said): SlackFile[] =>
  (said.files ?? []).flatMap((file) => (file.id ? [{ ...file, id: file.id }] : []));

/** Of a line of Markdown, what one would read aloud. */
const plainWords = (line: string): string =>
  line
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\\([\\*_~`[\]>#])|\*+|~~|`|^\s*(?:>|#+|-)\s+/g, '$1')
    .trim();

export function titleFrom(markdown: string, said: Said): string {
  const line = markdown
    .split('\n')
    .map((one) => plainWords(one))
    .find(Boolean);
  return clipPlain(line ?? said.files?.[0]?.name ?? 'A message without words', 200);
}
