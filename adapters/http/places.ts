// Workspaces and their channels over HTTP: whose they are, which desk they belong to, how messages become tickets there.
import { z } from 'zod';
import { bindChannel, channels, unbindChannel } from '../../src/places/channels.ts';
import {
  CHANNEL_ROLES,
  type Channel,
  channelInput,
  FILING_MODES,
  SURFACES,
  type Workspace,
} from '../../src/places/place.ts';
import { claimWorkspace, workspaces } from '../../src/places/workspaces.ts';
import { type Route, route } from './route.ts';

const workspaceShape = z.object({
  id: z.string().meta({ description: 'The surface and its own id: `slack:T024BE7LD`.' }),
  surface: z.enum(SURFACES),
  external: z.string(),
  name: z.string(),
  deskId: z.string().nullable(),
  state: z.enum(['active', 'unbound', 'needs_attention', 'gone']),
  reason: z.string().nullable(),
  createdAt: z.date(),
  updatedAt: z.date(),
});
const drawWorkspace = ({ company: _, desk, ...rest }: Workspace) => ({ ...rest, deskId: desk });

const emojis = z.record(
  z.string(),
  z.object({
    deed: z.enum(['file', 'file_private', 'claim', 'resolve', 'urgent']),
    who: z.enum(['agents', 'all']),
  }),
);
const channelShape = z.object({
  id: z.string(),
  workspaceId: z.string(),
  external: z.string(),
  deskId: z.string(),
  role: z.enum(CHANNEL_ROLES),
  mode: z.enum(FILING_MODES),
  escapes: z.array(z.string()),
  silent: z.boolean(),
  membersAreAgents: z.boolean(),
  emojis: emojis.nullable(),
  createdAt: z.date(),
});
const drawChannel = ({ company: _, desk, workspace, emojis, ...rest }: Channel) => ({
  ...rest,
  workspaceId: workspace,
  deskId: desk,
  membersAreAgents: rest.membersAreAgents ?? false,
  emojis: emojis ?? null,
});

const at = z.strictObject({ id: z.string().max(100), channel: z.string().max(100) });

export const placeRoutes: Route[] = [
  route({
    method: 'get',
    path: '/api/v1/workspaces',
    tag: 'Places',
    summary: 'Slack workspaces and Discord guilds of the company',
    deed: 'place.read',
    answer: z.object({ items: z.array(workspaceShape), total: z.number() }),
    run: async ({ ctx }) => {
      const items = (await workspaces(ctx)).map(drawWorkspace);
      return { items, total: items.length };
    },
  }),
  route({
    method: 'post',
    path: '/api/v1/workspaces/claim',
    tag: 'Places',
    summary: 'Bind an installed workspace to the company, by the code that its installation showed',
    deed: 'desk.manage',
    body: z.strictObject({ code: z.string().min(1).max(100), desk: z.string().max(40).optional() }),
    answer: workspaceShape,
    run: async ({ ctx, body }) => drawWorkspace(await claimWorkspace(ctx, body.code, body.desk)),
  }),
  route({
    method: 'get',
    path: '/api/v1/channels',
    tag: 'Places',
    summary: 'Channels and the desks that they are bound to',
    deed: 'place.read',
    answer: z.object({ items: z.array(channelShape), total: z.number() }),
    run: async ({ ctx }) => {
      const items = (await channels(ctx)).map(drawChannel);
      return { items, total: items.length };
    },
  }),
  route({
    method: 'put',
    path: '/api/v1/workspaces/{id}/channels/{channel}',
    tag: 'Places',
    summary: 'Bind a channel to a desk: as its triage channel, or as one in which people ask',
    deed: 'desk.manage',
    params: at,
    body: channelInput,
    answer: channelShape,
    run: async ({ ctx, params, body }) =>
      drawChannel(await bindChannel(ctx, params.id, params.channel, body)),
  }),
  route({
    method: 'delete',
    path: '/api/v1/workspaces/{id}/channels/{channel}',
    tag: 'Places',
    summary: 'Take a channel from its desk',
    deed: 'desk.manage',
    status: 204,
    params: at,
    run: async ({ ctx, params }) => {
      await unbindChannel(ctx, params.id, params.channel);
    },
  }),
];
