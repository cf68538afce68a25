// Channels and the desks they belong to. An unbound channel belongs to its workspace's desk and files only what it is
// told to.
import type { Ctx } from '../context.ts';
import type { Desk } from '../desks/desk.ts';
import { desksOf, findDesk } from '../desks/desks.ts';
import { forbidden, invalid, unknown } from '../errors.ts';
import { remembered } from '../memory.ts';
import { may } from '../people/access.ts';
import { dissolve } from '../people/standing.ts';
import { channelCollection, muteCollection, type StoredChannel, workspaceCollection } from './model.ts';
import { type Channel, type ChannelInput, channelInput, type Workspace } from './place.ts';

const asChannel = ({ _id, ...rest }: StoredChannel): Channel => ({ id: _id, ...rest });

const byId = remembered('channel', async (id: string) => {
  const stored = await channelCollection().findOne({ _id: id });
  return stored ? asChannel(stored) : null;
});

const UNBOUND = channelInput.parse({});

export interface Where {
  channel: Channel | null;
  settings: Omit<ChannelInput, 'desk'>;
  desk: Desk;
}

/** What is known of a channel, and the desk that things said there belong to. */
export async function whereIs(workspace: Workspace, external: string | undefined): Promise<Where> {
  const company = workspace.company ?? '';
  const found = external ? await byId(`${workspace.id}:${external}`) : null;
  // A desk may have been closed since it was bound.
  const desks = await desksOf(company);
  const bound = desks.find((desk) => desk.id === (found?.desk ?? workspace.desk));
  return {
    channel: found,
    settings: found ?? UNBOUND,
    desk: bound ?? (await findDesk(company)),
  };
}

/** A channel that wants no notices of ours, only what people say: who asked there is told personally. */
export async function isSilent(
  company: string,
  surface: string,
  { workspace, channel }: Record<string, string>,
): Promise<boolean> {
  const found = workspace && channel ? await byId(`${surface}:${workspace}:${channel}`) : null;
  return found?.company === company && found.silent;
}

export async function bindChannel(
  ctx: Ctx,
  workspace: string,
  external: string,
  given: ChannelInput,
): Promise<Channel> {
  if (!may(ctx.actor, 'desk.manage'))
    throw forbidden('channel.bind', 'Only managers bind channels to desks.');
  if (given.membersAreAgents) checkGranting(ctx, given);
  const known = await workspaceCollection().findOne({ _id: workspace, company: ctx.actor.company });
  if (!known) throw unknown('workspace');
  const desk = await findDesk(ctx.actor.company, given.desk);
  const stored: StoredChannel = {
    ...given,
    _id: `${workspace}:${external}`,
    workspace,
    external,
    company: ctx.actor.company,
    desk: desk.id,
    createdAt: ctx.now(),
  };
  await channelCollection().replaceOne({ _id: stored._id }, stored, { upsert: true });
  forget(stored);
  if (!stored.membersAreAgents) await dissolve(ctx, stored._id);
  return asChannel(stored);
}

/** It gives people a role: that is an administrator's to say. */
function checkGranting(ctx: Ctx, { role }: ChannelInput): void {
  if (!may(ctx.actor, 'people.manage'))
    throw forbidden('channel.agents', 'Only administrators make the members of a channel agents.');
  if (role !== 'triage')
    throw invalid('channel.agents', 'Only the members of a triage channel can be agents by it.', [
      { path: 'members_are_agents', message: 'goes with the role triage' },
    ]);
}

function forget({ _id, workspace }: Pick<StoredChannel, '_id' | 'workspace'>): void {
  byId.forget(_id);
  granting.forget(workspace);
}

const granting = remembered('channel', async (workspace: string) => {
  const found = await channelCollection()
    .find({ workspace, role: 'triage', membersAreAgents: true })
    .toArray();
  return found.map(asChannel);
});
/** The channels of a workspace whose members are agents by it. */
export const agentChannels = async ({ id, company }: Workspace): Promise<Channel[]> =>
  (await granting(id)).filter((one) => one.company === company);

export async function unbindChannel(ctx: Ctx, workspace: string, external: string): Promise<void> {
  if (!may(ctx.actor, 'desk.manage'))
    throw forbidden('channel.bind', 'Only managers bind channels to desks.');
  const _id = `${workspace}:${external}`;
  const done = await channelCollection().deleteOne({ _id, company: ctx.actor.company });
  if (!done.deletedCount) throw unknown('channel');
  forget({ _id, workspace });
  await dissolve(ctx, _id);
}

export async function channels(ctx: Ctx): Promise<Channel[]> {
  if (!may(ctx.actor, 'place.read')) throw forbidden('channel.list', 'You may not see the channels.');
  return (await channelCollection().find({ company: ctx.actor.company }).toArray()).map(asChannel);
}

/** Where the agents of a desk work. */
export async function triageChannels(company: string, desk: string): Promise<Channel[]> {
  return (await channelCollection().find({ company, desk, role: 'triage' }).toArray()).map(asChannel);
}

/** Nobody is asked twice in a while who said no. */
export async function mute(channel: string, person: string, until: Date): Promise<void> {
  await muteCollection().updateOne({ _id: `${channel}:${person}` }, { $set: { until } }, { upsert: true });
}
export async function isMuted(channel: string, person: string, now: Date): Promise<boolean> {
  const found = await muteCollection().findOne({ _id: `${channel}:${person}` });
  return found !== null && found.until > now;
}
