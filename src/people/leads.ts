// Who leads a team: its active members with the role of a lead.
import { userCollection } from './model.ts';

/** Team to the ids of its leads, those who have been there longest first. */
export async function leadsOf(company: string, teams: readonly string[]): Promise<Map<string, string[]>> {
  const leads = new Map<string, string[]>(teams.map((team) => [team, []]));
  if (!teams.length) return leads;
  const found = await userCollection()
    .find(
      { company, role: 'lead', active: true, teams: { $in: [...teams] } },
      { projection: { teams: 1 }, sort: { createdAt: 1, _id: 1 } },
    )
    .toArray();
  for (const user of found) for (const team of user.teams) leads.get(team)?.push(user._id);
  return leads;
}
