// Teams: who works together on what. A user knows their teams, so that access needs no second look.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { conflict, invalid, unknown } from '../errors.ts';
import { idFrom, newId } from '../id.ts';
import { list, type Page, pageQuery, yesOrNo } from '../lists.ts';
import { isSameName } from '../names.ts';
import { isDuplicate } from '../store.ts';
import { note } from './audit.ts';
import { containing } from './contacts.ts';
import { forgetMember } from './members.ts';
import { type StoredTeam, type StoredUser, teamCollection, userCollection } from './model.ts';
import { drawUser, type ShownUser } from './user.ts';

export const teamInput = z.strictObject({
  name: z.string().trim().min(1).max(120),
  description: z.string().trim().max(4_000).optional(),
  category: z
    .string()
    .trim()
    .max(60)
    .nullish()
    .meta({ description: 'Tickets of this category are theirs, where tickets are assigned by themselves.' }),
  memberIds: z.array(z.string().max(64)).max(500).optional(),
  companyId: z.string().max(64).optional().meta({ description: 'The own company, if it is said at all.' }),
});
export const teamChange = teamInput
  .omit({ companyId: true })
  .partial()
  .extend({ active: z.boolean().optional() });

export const teamShape = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string(),
    category: z.string().nullable(),
    companyId: z.string(),
    active: z.boolean(),
    createdAt: z.date(),
    updatedAt: z.date(),
  })
  .meta({ id: 'Team' });
export type Team = z.output<typeof teamShape>;

const drawn = (stored: StoredTeam): Team => ({
  id: stored._id,
  name: stored.name,
  description: stored.description,
  category: stored.category,
  companyId: stored.company,
  active: stored.active,
  createdAt: stored.createdAt,
  updatedAt: stored.updatedAt,
});
const drawMember = ({ _id, ...rest }: StoredUser): ShownUser => drawUser({ id: _id, ...rest });

export const teamQuery = z.strictObject({
  ...pageQuery,
  active: yesOrNo.optional(),
  q: z.string().trim().max(100).optional().meta({ description: 'Part of the name.' }),
});

export function teams(ctx: Ctx, query: z.output<typeof teamQuery>): Promise<Page<Team>> {
  const filter = {
    company: ctx.actor.company,
    deletedAt: null,
    ...(query.active === undefined ? {} : { active: query.active }),
    ...(query.q ? { name: containing(query.q) } : {}),
  };
  return list(teamCollection(), filter, { field: 'name', direction: 'asc', unique: true }, query, drawn);
}

async function load(ctx: Ctx, id: string): Promise<StoredTeam> {
  const found = await teamCollection().findOne({ _id: id, company: ctx.actor.company, deletedAt: null });
  if (!found) throw unknown('team');
  return found;
}
export const readTeam = async (ctx: Ctx, id: string): Promise<Team> => drawn(await load(ctx, id));

const taken = () =>
  conflict('team.taken', 'There is a team of that name already.', {
    details: [{ path: 'name', message: 'is taken' }],
  });

/** One that reads the same to people is refused as well; two at once that only nearly collide are let be. */
async function notTwice({ actor }: Ctx, name: string, except?: string): Promise<void> {
  const others = await teamCollection()
    .find({ company: actor.company, deletedAt: null }, { projection: { name: 1 } })
    .toArray();
  if (others.some((one) => one._id !== except && isSameName(one.name, name))) throw taken();
}

export async function addTeam(ctx: Ctx, given: z.output<typeof teamInput>): Promise<Team> {
  const { company } = ctx.actor;
  if (given.companyId !== undefined && given.companyId !== company) throw unknown('company');
  await checkMembers(ctx, given.memberIds);
  if (!ctx.redo) await notTwice(ctx, given.name);
  const at = ctx.now();
  const stored: StoredTeam = {
    _id: ctx.cause ? idFrom('team', company, ctx.cause) : newId(at),
    company,
    name: given.name,
    description: given.description ?? '',
    category: given.category ?? null,
    active: true,
    deletedAt: null,
    createdAt: at,
    updatedAt: at,
  };
  try {
    await teamCollection().insertOne(stored);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    if (!(ctx.redo && (await teamCollection().findOne({ _id: stored._id })))) throw taken();
  }
  if (given.memberIds) await setMembers(ctx, stored._id, given.memberIds);
  return drawn(stored);
}

export async function changeTeam(ctx: Ctx, id: string, given: z.output<typeof teamChange>): Promise<Team> {
  const before = await load(ctx, id);
  await checkMembers(ctx, given.memberIds);
  if (given.name !== undefined && given.name !== before.name) await notTwice(ctx, given.name, id);
  const { memberIds, ...plain } = given;
  const set: Partial<StoredTeam> = { updatedAt: ctx.now() };
  for (const [name, value] of Object.entries(plain))
    if (value !== undefined) Object.assign(set, { [name]: value });
  const after = await teamCollection()
    .findOneAndUpdate(
      { _id: id, company: ctx.actor.company, deletedAt: null },
      { $set: set },
      { returnDocument: 'after' },
    )
    .catch((error) => {
      throw isDuplicate(error) ? taken() : error;
    });
  if (!after) throw unknown('team');
  if (memberIds) await setMembers(ctx, id, memberIds);
  return drawn(after);
}

/** The team is gone and its name is free; tickets that were theirs keep saying so. */
export async function removeTeam(ctx: Ctx, id: string): Promise<void> {
  const before = await load(ctx, id);
  await setMembers(ctx, id, []);
  const at = ctx.now();
  await teamCollection().updateOne(
    { _id: id },
    { $set: { active: false, deletedAt: at, updatedAt: at, name: `${before.name} (removed ${id})` } },
  );
}

async function checkMembers(ctx: Ctx, ids: readonly string[] | undefined): Promise<void> {
  if (!ids?.length) return;
  const wanted = [...new Set(ids)];
  const filter = { _id: { $in: wanted }, company: ctx.actor.company, deletedAt: null };
  if ((await userCollection().countDocuments(filter)) !== wanted.length)
    throw invalid('team.member_unknown', 'One of these people does not exist.', [
      { path: 'member_ids', message: 'names somebody who does not exist' },
    ]);
}

async function setMembers(ctx: Ctx, team: string, ids: readonly string[]): Promise<void> {
  const { company } = ctx.actor;
  const were = await userCollection()
    .find({ company, teams: team }, { projection: { _id: 1 } })
    .toArray();
  for (const { _id } of were) if (!ids.includes(_id)) await leave(ctx, team, _id);
  for (const id of ids) await join(ctx, team, id);
}

async function join(ctx: Ctx, team: string, user: string): Promise<StoredUser | null> {
  const after = await userCollection().findOneAndUpdate(
    { _id: user, company: ctx.actor.company, deletedAt: null },
    { $addToSet: { teams: team }, $set: { updatedAt: ctx.now() } },
    { returnDocument: 'after', projection: { password: 0 } },
  );
  forgetMember(user);
  return after;
}

async function leave(ctx: Ctx, team: string, user: string): Promise<boolean> {
  const left = await userCollection().updateOne(
    { _id: user, company: ctx.actor.company, teams: team },
    { $pull: { teams: team }, $set: { updatedAt: ctx.now() } },
  );
  forgetMember(user);
  return left.matchedCount > 0;
}

export const memberQuery = z.strictObject({ ...pageQuery });

export async function members(
  ctx: Ctx,
  team: string,
  query: z.output<typeof memberQuery>,
): Promise<Page<ShownUser>> {
  await load(ctx, team);
  const filter = { company: ctx.actor.company, teams: team };
  return list(userCollection(), filter, { field: 'createdAt', direction: 'asc' }, query, drawMember, {
    projection: { password: 0 },
  });
}

export async function readMember(ctx: Ctx, team: string, user: string): Promise<ShownUser> {
  await load(ctx, team);
  const found = await userCollection().findOne({ _id: user, company: ctx.actor.company, teams: team });
  if (!found) throw unknown('member');
  return drawMember(found);
}

export async function addMember(ctx: Ctx, team: string, user: string): Promise<ShownUser> {
  await load(ctx, team);
  const joined = await join(ctx, team, user);
  if (!joined) throw unknown('user');
  await note(ctx, 'team.joined', user, { team });
  return drawMember(joined);
}

export async function removeMember(ctx: Ctx, team: string, user: string): Promise<void> {
  await load(ctx, team);
  if (!(await leave(ctx, team, user))) throw unknown('member');
  await note(ctx, 'team.left', user, { team });
}
