// What happens in Slack without anybody pressing anything of ours, and which room hears it. All of it comes from the
// inbox, in the order of its thread.
import type { App } from '@slack/bolt';
import { markWorkspace } from '../../src/places/workspaces.ts';
import { answering, hearing } from './call.ts';
import { type Body, record, word } from './door.ts';
import { publishHome } from './home.ts';
import type { Host } from './host.ts';
import { hearMessage } from './messages.ts';
import { hearMention, hearReaction } from './reactions.ts';
import { unfurl } from './unfurls.ts';
import { forgetProfile } from './who.ts';

export function hearEvents(app: App, host: Host): void {
  app.event(
    'message',
    hearing(host, (room, { body }, background) =>
      hearMessage(host, room, body as unknown as Body, background),
    ),
  );
  app.event(
    'app_mention',
    answering(host, (call, { body }) => hearMention(call, body as unknown as Body)),
  );
  app.event(
    'reaction_added',
    answering(host, (call, { body }) => hearReaction(call, body as unknown as Body)),
  );
  app.event(
    'app_home_opened',
    answering(host, async (call, { body }) => {
      if (record((body as unknown as Body).event).tab === 'home') await publishHome(call);
    }),
  );
  app.event(
    'link_shared',
    answering(host, (call, { body }) => unfurl(call, record((body as unknown as Body).event))),
  );
  app.event(
    'user_change',
    hearing(host, async (room, { body }) =>
      forgetProfile(room, word(record(record((body as unknown as Body).event).user).id)),
    ),
  );
  for (const name of ['app_uninstalled', 'tokens_revoked'] as const)
    app.event(
      name,
      hearing(host, async (room) => {
        await markWorkspace('slack', room.workspace.external, 'gone', name);
        host.log.error(
          { workspace: room.workspace.id, name: room.workspace.name },
          'slack: the app was removed',
        );
      }),
    );
}
