// Users and teams of a company as the other rooms need them: found by id, kept for a moment.
import type { Ctx } from '../context.ts';
import { invalid } from '../errors.ts';
import { remembered } from '../memory.ts';
import { type StoredTeam, type StoredUser, teamCollection, userCollection } from './model.ts';

/** What others may know of a user: never the password. */
export type User = Omit<StoredUser, '_id' | 'password' | 'tokensSince'> & { id: string };
export type Member = User & { tokensSince: Date };

const byId = remembered('user', async (id: string) => {
  const stored = await userCollection().findOne({ _id: id }, { projection: { password: 0 } });
  if (!stored) return null;
  const { _id, password: _, ...rest } = stored;
  return { id: _id, ...rest } satisfies Member;
});

export const member = (id: string): Promise<Member | null> => byId(id);
export const forgetMember = (id: string): void => byId.forget(id);

/** An active user of the actor's company to whom work can be given. */
export async function findMember(ctx: Ctx, id: string): Promise<User> {
  const user = await byId(id);
  if (!user || user.company !== ctx.actor.company || !user.active || user.role === 'customer')
    throw invalid('user.unknown_assignee', 'There is no such agent.', [
      { path: 'assignee_id', message: 'is not an active agent of this company' },
    ]);
  return user;
}

export async function teamOf(ctx: Ctx, id: string): Promise<StoredTeam> {
  const team = await teamCollection().findOne({ _id: id, company: ctx.actor.company });
  if (!team?.active)
    throw invalid('team.unknown', 'There is no such team.', [
      { path: 'team_id', message: 'is not an active team of this company' },
    ]);
  return team;
}

/** The active agents whom these names or addresses mean (a mention). */
export async function calledMembers(company: string, names: string[]): Promise<string[]> {
  const found = await userCollection()
    .find(
      {
        company,
        active: true,
        role: { $ne: 'customer' },
        $or: [{ username: { $in: names } }, { email: { $in: names } }],
      },
      { projection: { _id: 1 } },
    )
    .toArray();
  return found.map((user) => user._id);
}

export type Colleague = Pick<StoredUser, 'username' | 'fullName' | 'role' | 'teams' | 'skills'> & {
  id: string;
};

/** All active agents and above of a company, or those of these ids; who has been here longest comes first. */
export async function colleagues(company: string, among?: readonly string[]): Promise<Colleague[]> {
  const found = await userCollection()
    .find(
      { company, active: true, role: { $ne: 'customer' }, ...(among ? { _id: { $in: [...among] } } : {}) },
      { projection: { username: 1, fullName: 1, role: 1, teams: 1, skills: 1 } },
    )
    .sort({ createdAt: 1, _id: 1 })
    .toArray();
  return found.map(({ _id, username, fullName, role, teams, skills }) => ({
    ...{ id: _id, username, fullName, role },
    ...{ teams: teams ?? [], skills: skills ?? [] },
  }));
}

/** The teams of a company that take work. */
export async function activeTeams(
  company: string,
): Promise<Pick<StoredTeam, '_id' | 'name' | 'category' | 'description'>[]> {
  return teamCollection()
    .find({ company, active: true }, { projection: { name: 1, category: 1, description: 1 } })
    .sort({ name: 1 })
    .toArray();
}
