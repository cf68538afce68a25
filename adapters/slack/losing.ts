// A workspace that is lost: its token is refused, or the app was removed. An administrator is told by a ticket of their
// own, once for each installation.
import { systemCtx } from '../../src/context.ts';
import { userQuery, users } from '../../src/people/users.ts';
import { markWorkspace } from '../../src/places/workspaces.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { type Host, type Room, slackError } from './host.ts';

/** The token was refused: the workspace waits until the app is installed again. */
export const loseToken = (host: Host, room: Room, error: unknown): Promise<void> =>
  lose(host, room, 'needs_attention', slackError(error) ?? 'tokens_revoked');

/** The app was removed from the workspace: nobody there is heard any more. */
export const loseWorkspace = (host: Host, room: Room): Promise<void> =>
  lose(host, room, 'gone', 'app_uninstalled');

const SAYS = {
  needs_attention: (name: string, reason: string) => ({
    title: `Slack workspace ${name} needs attention`,
    words: `Slack refuses our token (${reason}). Nothing is sent there until the app is installed again:`,
  }),
  gone: (name: string) => ({
    title: `Slack workspace ${name} is disconnected`,
    words: 'The app was removed from the workspace. If that was not intended, install it again:',
  }),
} as const;

async function lose(host: Host, room: Room, state: keyof typeof SAYS, reason: string): Promise<void> {
  const { name, id, external, state: before, updatedAt } = room.workspace;
  if (before === state) return;
  const ctx = {
    ...systemCtx({ log: host.log, now: host.now }, room.company, 'system'),
    cause: `slack:${state}:${id}:${updatedAt.getTime()}`,
  };
  const { title, words } = SAYS[state](name, reason);
  const admins = await users(ctx, userQuery.parse({ role: 'admin', active: 'true', pageSize: 1 }));
  const page = `${String(host.config.PUBLIC_URL).replace(/\/$/, '')}/slack/install`;
  // Told before it is marked: whoever dies in between tells the same once more, which is once.
  await create(
    ctx,
    createInput.parse({
      title,
      description: `${words} ${page}`,
      priority: 'urgent',
      private: true,
      ...(admins.items[0] ? { assigneeId: admins.items[0].id } : {}),
    }),
  );
  if (await markWorkspace('slack', external, state, reason))
    host.log.error({ workspace: id, name, reason }, 'slack: install the app again');
}
