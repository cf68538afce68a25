// The people of a test's company: one of each role (and a second agent and customer), signed in, and desks by preset.
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { openDesk } from '../../src/desks/desks.ts';
import { newId } from '../../src/id.ts';
import { openLog } from '../../src/log.ts';
import type { Role } from '../../src/people/access.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { signAccess } from '../../src/people/tokens.ts';
import { signal } from '../../src/signals.ts';
import type { Preset } from '../../src/tickets/workflow.ts';
import type { Answer, World } from './world.ts';

export interface Person {
  id: string;
  name: string;
  /** Calls the API as this person; paths begin after /api/v1/. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Posts a form with files. */
  upload(path: string, form: FormData): Promise<Answer>;
}

export async function hire(
  world: World,
  name: string,
  role: Role,
  { company = FIRST_COMPANY, teams = [] as string[] } = {},
): Promise<Person> {
  const id = newId();
  const at = new Date();
  const email = `${name.toLowerCase()}@${company === FIRST_COMPANY ? 'company' : company}.example`;
  const username = company === FIRST_COMPANY ? name.toLowerCase() : email;
  await mongoose.connection.collection('users').insertOne({
    ...{ _id: id as never, company, email, username, fullName: name, phoneNumber: null, role, teams },
    ...{ skills: [], timeZone: null, active: true, password: null, tokensSince: new Date(0) },
    ...{ createdAt: at, updatedAt: at },
  });
  const as = await signAccess({ sub: id, username, email, role, company, jti: newId() }, 15);
  return {
    id,
    name,
    async upload(path, form) {
      const headers = { authorization: `Bearer ${as}`, connection: 'close' };
      const answer = await fetch(`${world.url}/api/v1/${path}`, { method: 'POST', headers, body: form });
      return { status: answer.status, headers: answer.headers, body: await answer.json() };
    },
    call: (method, path, body, headers = {}) =>
      world.call(method, `/api/v1/${path}`, { as, headers, ...(body === undefined ? {} : { body }) }),
  };
}

export async function formTeam(name: string, company = FIRST_COMPANY): Promise<string> {
  const id = newId();
  const at = new Date();
  await mongoose.connection.collection('teams').insertOne({
    ...{ _id: id as never, company, name, description: '', category: null, active: true },
    ...{ createdAt: at, updatedAt: at },
  });
  return id;
}

export interface Staff {
  customer: Person;
  otherCustomer: Person;
  agent: Person;
  otherAgent: Person;
  lead: Person;
  manager: Person;
  admin: Person;
  /** The team of the lead and of `agent`. */
  team: string;
  otherTeam: string;
}

export async function hireStaff(world: World): Promise<Staff> {
  const [team, otherTeam] = await Promise.all([formTeam('First line'), formTeam('Second line')]);
  return {
    team,
    otherTeam,
    customer: await hire(world, 'Carla', 'customer'),
    otherCustomer: await hire(world, 'Cyrus', 'customer'),
    agent: await hire(world, 'Anna', 'agent', { teams: [team] }),
    otherAgent: await hire(world, 'Abel', 'agent', { teams: [otherTeam] }),
    lead: await hire(world, 'Lena', 'lead', { teams: [team] }),
    manager: await hire(world, 'Mona', 'manager'),
    admin: await hire(world, 'Adam', 'admin'),
  };
}

export const openDeskOf = (key: string, preset: Preset, company = FIRST_COMPANY) =>
  openDesk(systemCtx({ log: openLog('silent') }, company), { key, name: key, preset });

/** After changing a desk behind Switchboard's back. */
export const forgetDesks = (company = FIRST_COMPANY) => signal('stale', { kind: 'desk', id: company });
