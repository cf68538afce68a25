// Forms open while Slack lets them be: three seconds from the press. One that is not drawn soon is opened with an
// hourglass and filled when it is drawn, or says why there is none; nobody who pressed is left without an answer.
import type { View } from '@slack/types';
import { type Drawing, trouble } from './blocks.ts';
import { type Call, callFor, type Heard, sayError, tell } from './call.ts';
import { type Body, record, teamOf, word } from './door.ts';
import { type Host, isTokenLost, type Room, slackError } from './host.ts';
import { loseToken } from './losing.ts';
import { messageView, waitingView } from './views.ts';

const QUICK_MS = 1_000;
const TOO_LATE = new Set(['expired_trigger_id', 'invalid_trigger_id', 'exchanged_trigger_id']);
const SORRY = 'That took longer than Slack waits for a form. Nothing was changed: please try again.';

/** `draw` makes the form, or says in words why there is none. */
export const opening =
  (host: Host, title: string, draw: (call: Call, body: Body) => Promise<View | Drawing>) =>
  async (args: Heard): Promise<void> => {
    const body = args.body as Body;
    await args.ack?.();
    const room = await host.room(teamOf(body));
    if (!room) return;
    try {
      await open(room, title, body, drawnFor(host, body, draw));
    } catch (error) {
      if (isTokenLost(error)) return loseToken(host, room, error);
      const words = TOO_LATE.has(slackError(error) ?? '') ? trouble(SORRY) : sayError(host, error);
      await tell(room.client, body, words).catch((failure) =>
        host.log.warn({ err: failure }, 'a person could not be told in slack'),
      );
    }
  };

/** What goes wrong is drawn as well: it is told wherever the person looks by then. */
async function drawnFor(
  host: Host,
  body: Body,
  draw: (call: Call, body: Body) => Promise<View | Drawing>,
): Promise<View | Drawing> {
  try {
    return await draw(await callFor(host, body, {}), body);
  } catch (error) {
    if (isTokenLost(error)) throw error;
    return sayError(host, error);
  }
}

const isView = (drawn: View | Drawing): drawn is View => 'type' in drawn;

async function open(room: Room, title: string, body: Body, drawing: Promise<View | Drawing>): Promise<void> {
  const { views } = room.client;
  const trigger_id = word(body.trigger_id);
  // Above the modal that was pressed on, if it was one.
  const isAbove = record(body.view).type === 'modal';
  const show = (view: View) =>
    isAbove ? views.push({ trigger_id, view }) : views.open({ trigger_id, view });
  const late = new Promise<null>((resolve) => setTimeout(resolve, QUICK_MS, null).unref());
  const ready = await Promise.race([drawing, late]);
  if (ready) {
    if (isView(ready)) await show(ready);
    else await tell(room.client, body, ready);
    return;
  }
  const { view } = await show(waitingView(title));
  const drawn = await drawing;
  await views.update({
    view_id: view?.id ?? '',
    view: isView(drawn) ? drawn : messageView(title, drawn.blocks),
  });
}
