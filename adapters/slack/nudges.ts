// Where a channel would rather ask than file by itself: one question, to the one who wrote, answered in place. “No” is
// heard for three hours.
import type { Ctx } from '../../src/context.ts';
import { isMuted, mute } from '../../src/places/channels.ts';
import type { Call } from './call.ts';
import { type Body, record } from './door.ts';
import { actions, button, context, section } from './elements.ts';
import { fileFromMessage } from './filing.ts';
import type { Room } from './host.ts';

const MUTE_MS = 3 * 3_600_000;

export async function askToFile(
  room: Room,
  ctx: Ctx,
  channel: string,
  user: string,
  ts: string,
): Promise<void> {
  if (await isMuted(`${room.workspace.id}:${channel}`, user, ctx.now())) return;
  await room.client.chat.postEphemeral({
    channel,
    user,
    text: 'Shall this become a ticket?',
    blocks: [
      section('Shall this become a ticket?'),
      actions('nudge', [
        button('nudge_file', 'Open a ticket', `${channel}/${ts}`, { style: 'primary' }),
        button('nudge_no', 'No thanks', `${channel}/${ts}`),
      ]),
    ],
  });
}

export async function answerNudge(call: Call, body: Body): Promise<void> {
  const [action = {}] = Array.isArray(body.actions) ? (body.actions as Body[]) : [];
  const [channel = '', ts = ''] = String(record(action).value ?? '').split('/');
  if (!channel || !ts) return;
  if (record(action).action_id === 'nudge_file') {
    const filed = await fileFromMessage(call, { channel, ts });
    const words = filed ? `:ticket: It is a ticket now: ${filed.key}.` : 'It did not become another ticket.';
    return call.redraw({ text: words, blocks: [context(words)] });
  }
  const until = new Date(call.ctx.now().getTime() + MUTE_MS);
  await mute(`${call.room.workspace.id}:${channel}`, call.user, until);
  await call.redraw({
    text: 'All right.',
    blocks: [context('All right: we will not ask again for a while.')],
  });
}
