// A link to a ticket, shown with its key, title and status: only where the one who shared it may see the ticket, and
// never a private one nor in a channel that another organisation reads.
import { unlessGone } from '../../src/errors.ts';
import { mayBePreviewed } from '../../src/tickets/asking.ts';
import { read } from '../../src/tickets/tickets.ts';
import { priorityWord } from './blocks.ts';
import type { Call } from './call.ts';
import { type Body, record, word } from './door.ts';
import { context, keyed, section } from './elements.ts';
import { factsOf } from './facts.ts';
import { isTokenLost, slackError } from './host.ts';
import { clipPlain, escaped } from './text.ts';

const PAGE = /\/tickets\/([A-Za-z][A-Za-z0-9]{0,9}-\d{1,9}|[0-9a-f]{24})(?:[/?#]|$)/;

function ticketAt(call: Call, address: string): string | undefined {
  const own = new URL(call.host.config.PUBLIC_URL ?? 'http://localhost').host;
  try {
    const url = new URL(address);
    return url.host === own ? PAGE.exec(url.pathname)?.[1] : undefined;
  } catch {
    return undefined;
  }
}

/** Nobody of another organisation reads along; while it is being written nobody knows who will. */
async function isAmongUs(call: Call, body: Body): Promise<boolean> {
  const event = record(body.event);
  if (event.source === 'composer' || body.is_ext_shared_channel === true) return false;
  const { channel } = await call.client.conversations
    .info({ channel: word(event.channel) })
    .catch(() => ({ channel: undefined }));
  if (channel) return !channel.is_ext_shared;
  return body.is_ext_shared_channel === false || event.is_bot_user_member === true;
}

export async function unfurl(call: Call, body: Body): Promise<void> {
  const event = record(body.event);
  const links = Array.isArray(event.links) ? (event.links as { url?: string }[]) : [];
  const channel = String(event.channel ?? '');
  if (!(await isAmongUs(call, body))) return;
  const unfurls: Record<string, { blocks: ReturnType<typeof section>[] }> = {};
  for (const { url = '' } of links.slice(0, 10)) {
    const ref = ticketAt(call, url);
    if (!ref) continue;
    try {
      const ticket = await read(call.ctx, ref);
      if (!mayBePreviewed(ticket)) continue;
      const facts = await factsOf(call.host, ticket);
      unfurls[url] = {
        blocks: [
          section(`*${keyed(facts.key, facts.url)}* ${escaped(clipPlain(facts.title, 300))}`),
          context(`*${escaped(facts.status.label)}*`, priorityWord(facts.priority)) as never,
        ],
      };
    } catch (error) {
      unlessGone(error);
    }
  }
  if (!Object.keys(unfurls).length) return;
  const about = { channel, ts: String(event.message_ts ?? ''), unfurls };
  // A preview is a courtesy: what Slack does not take (deleted, too late) is let be.
  await call.client.chat.unfurl(about as Parameters<typeof call.client.chat.unfurl>[0]).catch((error) => {
    if (slackError(error) === undefined || isTokenLost(error)) throw error;
  });
}
