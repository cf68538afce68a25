// The rotas of teams: set, read, and who is on call now.
import { z } from 'zod';
import { storeTime } from '../clock.ts';
import type { Ctx } from '../context.ts';
import { forbidden, invalid, unknown } from '../errors.ts';
import { remembered } from '../memory.ts';
import { atLeast, may } from '../people/access.ts';
import { activeTeams, colleagues } from '../people/members.ts';
import { signal } from '../signals.ts';
import { rotaCollection, type StoredRota } from './model.ts';
import { dutyAt, orderAt, type rotaInput, rotaOf } from './rota.ts';

export const rotaShape = z
  .object({
    teamId: z.string(),
    timeZone: z.string(),
    startsOn: z.string().meta({ description: 'Local date of the first turn.' }),
    handoverTime: z.string(),
    turnDays: z.int(),
    memberIds: z.array(z.string()),
    overrides: z.array(z.object({ userId: z.string(), from: z.date(), to: z.date() })),
    updatedAt: z.date(),
  })
  .meta({ id: 'Rota' });
export type ShownRota = z.output<typeof rotaShape>;

/** Rules and rotas are remembered under one kind. */
const ROTAS = 'rotas/';

const drawn = ({ _id, company: _, ...rota }: StoredRota): ShownRota => ({
  ...rota,
  teamId: _id,
  memberIds: [...rota.memberIds],
  overrides: [...rota.overrides],
});

const need = (ctx: Ctx): void => {
  if (!may(ctx.actor, 'routing.read')) throw forbidden('rota.read', 'Only agents see who is on call.');
};

async function load(ctx: Ctx, team: string): Promise<StoredRota> {
  need(ctx);
  const found = await rotaCollection().findOne({ _id: team, company: ctx.actor.company });
  if (!found) throw unknown('rota', 'This team has no rota.');
  return found;
}
export async function teamsWithRota(ctx: Ctx): Promise<string[]> {
  need(ctx);
  return (await ofCompany(`${ROTAS}${ctx.actor.company}`)).map(({ _id }) => _id);
}
export const readRota = async (ctx: Ctx, team: string): Promise<ShownRota> => drawn(await load(ctx, team));

async function checkTeam(ctx: Ctx, team: string): Promise<void> {
  const teams = await activeTeams(ctx.actor.company);
  if (!teams.some(({ _id }) => _id === team)) throw unknown('team');
  if (!atLeast(ctx.actor.role, 'manager') && !ctx.actor.teams.includes(team))
    throw forbidden('rota.team', 'Leads set the rotas of their own teams, managers of all.');
}

export async function setRota(ctx: Ctx, team: string, given: z.output<typeof rotaInput>): Promise<ShownRota> {
  const { company } = ctx.actor;
  await checkTeam(ctx, team);
  const there = new Set((await colleagues(company)).map(({ id }) => id));
  const named = [
    ...given.memberIds.map((id, at) => [id, `member_ids.${at}`] as const),
    ...given.overrides.map(({ userId }, at) => [userId, `overrides.${at}.user_id`] as const),
  ];
  const problems = named.filter(([id]) => !there.has(id));
  if (problems.length)
    throw invalid(
      'rota.people',
      'Only active agents are on call.',
      problems.map(([, path]) => ({ path, message: 'is not an active agent of this company' })),
    );
  const now = await storeTime();
  const stored: StoredRota = { _id: team, company, ...rotaOf(given, now), updatedAt: now };
  await rotaCollection().replaceOne({ _id: team, company }, stored, { upsert: true });
  changed(company);
  return drawn(stored);
}

export async function dropRota(ctx: Ctx, team: string): Promise<void> {
  await checkTeam(ctx, team);
  await rotaCollection().deleteOne({ _id: team, company: ctx.actor.company });
  changed(ctx.actor.company);
}

function changed(company: string): void {
  ofCompany.forget(`${ROTAS}${company}`);
  signal('inbound', { kind: 'routing' });
}

export const onCallQuery = z.strictObject({
  at: z.coerce.date().optional().meta({ description: 'Another time than now.', format: 'date-time' }),
});
const dutyShape = z.object({
  userId: z.string(),
  userName: z.string(),
  from: z.date(),
  to: z.date(),
  overridden: z.boolean(),
});
export const onCallShape = z
  .object({
    teamId: z.string(),
    at: z.date(),
    onCall: dutyShape.nullable().meta({ description: 'Null: all of the rota have left.' }),
    standsIn: z.boolean().meta({ description: 'Whose turn it is has left; this is the next in order.' }),
    next: dutyShape.omit({ overridden: true, to: true }).nullable(),
  })
  .meta({ id: 'OnCall' });

export async function readOnCall(
  ctx: Ctx,
  team: string,
  { at }: z.output<typeof onCallQuery>,
): Promise<z.output<typeof onCallShape>> {
  const rota = await load(ctx, team);
  const when = at ?? (await storeTime());
  const year = when.getUTCFullYear();
  if (year < 1990 || year > 2200)
    throw invalid('rota.at', 'That is too far away.', [{ path: 'at', message: 'is too far away' }]);
  const people = await colleagues(ctx.actor.company);
  const name = (id: string) => people.find((one) => one.id === id);
  const shown = (id: string) => ({ userId: id, userName: name(id)?.fullName ?? name(id)?.username ?? id });
  const duty = dutyAt(rota, when);
  const holder = orderAt(rota, when).find(name);
  const [next, follows] = [dutyAt(rota, duty.to), orderAt(rota, duty.to).find(name)];
  return {
    teamId: team,
    at: when,
    onCall: holder ? { ...shown(holder), from: duty.from, to: duty.to, overridden: duty.overridden } : null,
    standsIn: holder !== undefined && holder !== duty.user,
    next: follows ? { ...shown(follows), from: next.from } : null,
  };
}

const ofCompany = remembered('routing', (key: string) =>
  rotaCollection()
    .find({ company: key.slice(ROTAS.length) })
    .toArray(),
);
/** Team to who is on call there now, then who stands in, in order; without those who have left. */
export async function ordersNow(company: string, now: Date): Promise<Map<string, string[]>> {
  const rotas = await ofCompany(`${ROTAS}${company}`);
  const orders = rotas.map((rota) => [rota._id, orderAt(rota, now)] as const);
  const named = [...new Set(orders.flatMap(([, order]) => order))];
  const there = new Set(named.length ? (await colleagues(company, named)).map(({ id }) => id) : []);
  return new Map(orders.map(([team, order]) => [team, order.filter((id) => there.has(id))]));
}

/** Who is on call in this team now. */
export async function onCallIn(company: string, team: string): Promise<string | null> {
  return (await ordersNow(company, await storeTime())).get(team)?.[0] ?? null;
}

/** For notifications: on call for any team just now. */
export async function isOnCall(company: string, user: string): Promise<boolean> {
  const rotas = await ofCompany(`${ROTAS}${company}`);
  const isNamed = rotas.some(
    ({ memberIds, overrides }) => memberIds.includes(user) || overrides.some(({ userId }) => userId === user),
  );
  if (!isNamed) return false;
  const orders = await ordersNow(company, await storeTime());
  return [...orders.values()].some(([first]) => first === user);
}
