// The home tab: for agents their work and their teams' queue, the most urgent first; for everybody what waits for their
// answer and what they asked for. Each shelf is turned by pages; which ones are open travels in the tab itself.
import type { KnownBlock, View } from '@slack/types';
import { z } from 'zod';
import { atLeast } from '../../src/people/access.ts';
import { list, listInput } from '../../src/tickets/lists.ts';
import { rows, type TicketFacts } from './blocks.ts';
import type { Call } from './call.ts';
import { actions, button, context, divider, header, section, within } from './elements.ts';
import { factsOfAll } from './facts.ts';
import { escaped } from './text.ts';

const SHELVES = ['working', 'queue', 'waiting', 'mine', 'closed'] as const;
type ShelfName = (typeof SHELVES)[number];
const ON_A_PAGE = 10;

const TITLES: Record<ShelfName, [title: string, none: string]> = {
  working: ['My work', 'Nothing is assigned to you.'],
  queue: ["My teams' queue", 'Nobody is waiting.'],
  waiting: ['Waiting on me', 'Nobody waits for an answer from you.'],
  mine: ['My requests', 'You have no open requests.'],
  closed: ['Done lately', 'Nothing yet.'],
};

interface Shelf {
  name: ShelfName;
  items: TicketFacts[];
  total: number;
  page: number;
}
interface HomeFacts {
  name: string;
  shelves: Shelf[];
}

type Pages = Partial<Record<ShelfName, number>>;

const openPages = z.partialRecord(z.enum(SHELVES), z.number().int().min(1));
/** Which pages are open in the tab that was pressed on, and which one the press turned to (`queue:2`). */
export function pagesIn(metadata: unknown, turned = ''): Pages {
  let open: Pages = {};
  try {
    open = openPages.parse(JSON.parse(String(metadata || '{}')));
  } catch {
    // a tab from before there were pages
  }
  const [name, page] = turned.split(':');
  const shelf = SHELVES.find((one) => one === name);
  return shelf && Number(page) >= 1 ? { ...open, [shelf]: Math.floor(Number(page)) } : open;
}

async function homeFacts({ host, ctx }: Pick<Call, 'host' | 'ctx'>, pages: Pages): Promise<HomeFacts> {
  const isAgent = atLeast(ctx.actor.role, 'agent');
  const open: ('new' | 'open' | 'pending')[] = ['new', 'open', 'pending'];
  const mine = { requester: ['me'], sortBy: 'updated_at' as const };
  const team = ctx.actor.teams.length ? { team: [...ctx.actor.teams] } : {};
  const wanted: Record<ShelfName, z.input<typeof listInput> | null> = {
    working: isAgent ? { assignee: ['me'], statusKind: open, sortBy: 'due_at', order: 'asc' } : null,
    queue: isAgent ? { unassigned: 'true', statusKind: open, sortBy: 'due_at', order: 'asc', ...team } : null,
    waiting: { ...mine, statusKind: ['pending'] },
    mine: { ...mine, statusKind: open },
    closed: { ...mine, statusKind: ['resolved', 'closed'] },
  };
  const shelf = async (name: ShelfName): Promise<Shelf[]> => {
    const given = wanted[name];
    if (!given) return [];
    const read = (page: number) => list(ctx, listInput.parse({ ...given, page, pageSize: ON_A_PAGE }));
    const page = pages[name] ?? 1;
    let found = await read(page);
    // The last page emptied meanwhile.
    if (!found.items.length && page > 1) found = await read(Math.max(1, Math.ceil(found.total / ON_A_PAGE)));
    return [{ name, items: await factsOfAll(host, found.items), total: found.total, page: found.page }];
  };
  return { name: ctx.actor.name, shelves: (await Promise.all(SHELVES.map(shelf))).flat() };
}

function drawShelf({ name, items, total, page }: Shelf): KnownBlock[] {
  const [title, none] = TITLES[name];
  const last = Math.max(1, Math.ceil(total / ON_A_PAGE));
  const turns = [
    ...(page > 1 ? [button('home_before', '‹ Before', `${name}:${page - 1}`)] : []),
    ...(page < last ? [button('home_after', 'More ›', `${name}:${page + 1}`)] : []),
  ];
  return [
    header(`${title} (${total})`),
    ...(items.length ? rows(items) : [context(none)]),
    ...(turns.length ? [context(`Page ${page} of ${last}`), actions(`home:${name}`, turns)] : []),
    divider,
  ];
}

export function homeView({ name, shelves }: HomeFacts): View {
  const blocks: KnownBlock[] = [
    section(`Hello ${escaped(name)}.`),
    actions('home', [
      button('home_new', 'New ticket', 'new', { style: 'primary' }),
      button('home_refresh', 'Refresh', 'refresh'),
    ]),
    ...shelves.flatMap(drawShelf),
  ];
  const pages = Object.fromEntries(shelves.map((one) => [one.name, one.page]));
  return { type: 'home', private_metadata: JSON.stringify(pages), blocks: within(blocks, 100) };
}

export async function publishHome(call: Call, pages: Pages = {}): Promise<void> {
  await call.client.views.publish({ user_id: call.user, view: homeView(await homeFacts(call, pages)) });
}
