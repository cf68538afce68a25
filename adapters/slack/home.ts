// The home tab: one's own requests and what waits for one's answer; for agents also their work and their teams' queue.
import { atLeast } from '../../src/people/access.ts';
import { type ListInput, list, listInput } from '../../src/tickets/lists.ts';
import type { TicketFacts } from './blocks.ts';
import type { Call } from './call.ts';
import { factsOfAll } from './facts.ts';
import { type HomeFacts, homeView } from './views.ts';

const open: ('new' | 'open' | 'pending')[] = ['new', 'open', 'pending'];

export async function homeFacts({ host, ctx }: Pick<Call, 'host' | 'ctx'>): Promise<HomeFacts> {
  const isAgent = atLeast(ctx.actor.role, 'agent');
  const shelf = async (
    given: Omit<Parameters<typeof listInput.parse>[0] & object, never>,
  ): Promise<TicketFacts[]> => {
    const input: ListInput = listInput.parse({ pageSize: 20, ...given });
    return factsOfAll(host, (await list(ctx, input)).items);
  };
  const mineOnly = { requester: ['me'] };
  const none = Promise.resolve<TicketFacts[]>([]);
  const [mine, waiting, closed, working, queue] = await Promise.all([
    shelf({ ...mineOnly, statusKind: open, sortBy: 'updated_at' }),
    shelf({ ...mineOnly, statusKind: ['pending'], sortBy: 'updated_at' }),
    shelf({ ...mineOnly, statusKind: ['resolved', 'closed'], sortBy: 'updated_at', pageSize: 5 }),
    isAgent ? shelf({ assignee: ['me'], statusKind: open, sortBy: 'due_at' }) : none,
    isAgent
      ? shelf({
          unassigned: 'true',
          statusKind: open,
          sortBy: 'due_at',
          ...(ctx.actor.teams.length ? { team: [...ctx.actor.teams] } : {}),
        })
      : none,
  ]);
  return { name: ctx.actor.name, isAgent, mine, waiting, closed, working, queue };
}

export async function publishHome(call: Call): Promise<void> {
  await call.client.views.publish({ user_id: call.user, view: homeView(await homeFacts(call)) });
}
