// Who belongs to whom, for telling people things: members of a team, managers, users by the name they are called by.
// Kept for a moment; a change of the people is noticed within seconds.
import { remembered } from '../memory.ts';
import { leadsOf } from './leads.ts';
import { teamCollection, userCollection } from './model.ts';

const LIFETIME_MS = 5_000;
const ids = async (filter: Record<string, unknown>, most = 200): Promise<string[]> =>
  (
    await userCollection()
      .find(
        { ...filter, active: true },
        { projection: { _id: 1 }, sort: { createdAt: 1, _id: 1 }, limit: most },
      )
      .toArray()
  ).map((user) => user._id);

const split = (key: string): [string, string] => [
  key.slice(0, key.indexOf('/')),
  key.slice(key.indexOf('/') + 1),
];

const members = remembered(
  'user',
  (key) => {
    const [company, team] = split(key);
    return ids({ company, teams: team, role: { $ne: 'customer' } });
  },
  LIFETIME_MS,
);
const leads = remembered(
  'user',
  async (key) => {
    const [company, team] = split(key);
    return (await leadsOf(company, [team])).get(team) ?? [];
  },
  LIFETIME_MS,
);
/** Where there are no managers, the administrators do what managers do. */
const managers = remembered(
  'user',
  async (company: string) => {
    const found = await ids({ company, role: 'manager' });
    return found.length ? found : ids({ company, role: 'admin' });
  },
  LIFETIME_MS,
);
/** So many hear of it; more would each think that another sees to it. */
const MOST_TRIAGE = 20;
const triage = remembered(
  'user',
  async (company: string) => {
    const found = await ids({ company, role: 'lead' }, MOST_TRIAGE);
    return found.length ? found : (await managers(company)).slice(0, MOST_TRIAGE);
  },
  LIFETIME_MS,
);
const named = remembered(
  'user',
  async (key) => {
    const [company, name] = split(key);
    const local = new RegExp(`^${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}@`);
    return ids({ company, $or: [{ username: name }, { username: local }, { email: local }] }, 2);
  },
  LIFETIME_MS,
);

const callings = remembered(
  'user',
  async (company: string) => {
    const found = await userCollection()
      .find(
        { company, role: { $ne: 'customer' }, deletedAt: null },
        { projection: { fullName: 1, username: 1, email: 1 }, limit: 5_000 },
      )
      .toArray();
    return found.map(({ _id, fullName, username, email }) => ({
      id: _id,
      names: [fullName, username, email],
    }));
  },
  LIFETIME_MS,
);

const teamNames = remembered(
  'user',
  async (id: string) => (await teamCollection().findOne({ _id: id }))?.name ?? null,
  LIFETIME_MS,
);

/** By what the agents of a company are called. */
export const agentNames = (company: string): Promise<{ id: string; names: (string | null)[] }[]> =>
  callings(company);
export const teamName = (id: string): Promise<string | null> => teamNames(id);
export const membersOf = (company: string, team: string): Promise<string[]> => members(`${company}/${team}`);
/** Those who answer for a team; without a lead, the managers; without any, the administrators. */
export async function answerable(company: string, team: string | null): Promise<string[]> {
  const found = team ? await leads(`${company}/${team}`) : [];
  return found.length ? found : managers(company);
}
/** Those who see to what has no team and nobody yet: who leads; without any, the managers or administrators. */
export const triageOf = (company: string): Promise<string[]> => triage(company);
export const managersOf = (company: string): Promise<string[]> => managers(company);
/** The user called so, when it is exactly one. */
export async function userNamed(company: string, name: string): Promise<string | null> {
  const found = await named(`${company}/${name}`);
  return found.length === 1 ? (found[0] ?? null) : null;
}
