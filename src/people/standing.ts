// Agents by the place that they belong to (the triage channel of a desk): whoever is a customer becomes an agent when
// they join it, and is a customer again when they leave. Roles that an administrator gave are never touched.
import type { Ctx } from '../context.ts';
import { note } from './audit.ts';
import { handBack } from './leaving.ts';
import { forgetMember, member } from './members.ts';
import { userCollection } from './model.ts';

/** True when their role changed by it. */
export async function standBy(ctx: Ctx, id: string, place: string, belongs: boolean): Promise<boolean> {
  const user = await member(id);
  if (!user?.active || user.company !== ctx.actor.company) return false;
  const has = user.agentBy?.includes(place) ?? false;
  if (has === belongs) return false;
  return belongs ? join(ctx, id, place) : leave(ctx, id, place);
}

async function join(ctx: Ctx, id: string, place: string): Promise<boolean> {
  const before = await userCollection().findOneAndUpdate(
    { _id: id, active: true, $or: [{ role: 'customer' }, { role: 'agent', 'agentBy.0': { $exists: true } }] },
    { $set: { role: 'agent', updatedAt: ctx.now() }, $addToSet: { agentBy: place } },
    { returnDocument: 'before', projection: { role: 1 } },
  );
  forgetMember(id);
  if (before?.role !== 'customer') return false;
  await note(ctx, 'user.role_changed', id, { from: 'customer', to: 'agent', through: place });
  return true;
}

async function leave(ctx: Ctx, id: string, place: string): Promise<boolean> {
  await userCollection().updateOne({ _id: id, agentBy: place }, { $pull: { agentBy: place } });
  const before = await userCollection().findOneAndUpdate(
    { _id: id, role: 'agent', agentBy: { $size: 0 } },
    { $set: { role: 'customer', updatedAt: ctx.now() }, $unset: { agentBy: '' } },
    { returnDocument: 'before' },
  );
  forgetMember(id);
  if (!before) return false;
  await note(ctx, 'user.role_changed', id, { from: 'agent', to: 'customer', through: place });
  await handBack(ctx, before.company, id);
  return true;
}

/** The place makes nobody an agent any more. */
export async function dissolve(ctx: Ctx, place: string): Promise<void> {
  const filter = { company: ctx.actor.company, agentBy: place };
  const theirs = await userCollection()
    .find(filter, { projection: { _id: 1 } })
    .toArray();
  for (const { _id } of theirs) await leave(ctx, _id, place);
}
