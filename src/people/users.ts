// Users: people who sign in. They change themselves; administrators change all of the company; operators also the users
// of the companies that they open. Who loses a role, is closed or deleted has lost it at the next request.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { conflict, forbidden, invalid, Refusal, unknown } from '../errors.ts';
import { idFrom, newId } from '../id.ts';
import { list, type Page, pageQuery, repeated, yesOrNo } from '../lists.ts';
import { isDuplicate } from '../store.ts';
import { may, ROLES } from './access.ts';
import { note } from './audit.ts';
import { address, containing, phone } from './contacts.ts';
import { inTurn } from './hashing.ts';
import { revokeKeysOf } from './keys.ts';
import { handBack } from './leaving.ts';
import { forgetMember, type Member, member } from './members.ts';
import {
  companyCollection,
  identityCollection,
  type StoredUser,
  teamCollection,
  userCollection,
} from './model.ts';
import { hashPassword, newPassword, passwordFits } from './passwords.ts';
import { endSessions } from './sessions.ts';
import {
  CONFIRM_PERSON,
  countFailure,
  network,
  notThrottled,
  REGISTER_ADDRESS,
  REGISTERED_ADDRESS,
} from './throttle.ts';
import { drawUser, type ShownUser } from './user.ts';

const roleInput = z
  .string()
  .max(40)
  .transform((word) => word.trim().toLowerCase())
  .pipe(z.enum(ROLES));
const idList = z.array(z.string().max(64)).max(100);
const timeZone = z
  .string()
  .max(60)
  .refine((zone) => isTimeZone(zone), 'must be a time zone such as Europe/Berlin');
const isTimeZone = (zone: string): boolean => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
};
/** An @ would let one person's name be another's address. */
const username = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[\p{L}\p{N}][\p{L}\p{N}._+-]{0,99}$/u, 'letters, digits and . _ + - only')
  .meta({ example: 'mei' });

const about = {
  username: username.optional(),
  fullName: z.string().trim().max(200).nullish(),
  phoneNumber: phone.nullish(),
  timeZone: timeZone.nullish(),
};
const byAdmins = {
  role: roleInput.optional(),
  teamIds: idList.optional(),
  skills: z.array(z.string().trim().min(1).max(60)).max(50).optional(),
};
export const registerInput = z.strictObject({
  email: address,
  password: newPassword,
  ...about,
  companyId: z.string().max(64).optional(),
});
export const userInput = z.strictObject({
  email: address,
  password: newPassword.optional().meta({ description: 'Without one, the user cannot sign in yet.' }),
  ...about,
  ...byAdmins,
  companyId: z.string().max(64).optional().meta({ description: 'Another company: operators only.' }),
});
const passwordChange = {
  email: address.optional(),
  password: newPassword.optional(),
  currentPassword: z
    .string()
    .max(1_000)
    .optional()
    .meta({ description: 'Needed to change the own password or address.', format: 'password' }),
};
export const selfChange = z.strictObject({ ...passwordChange, ...about });
export const userChange = z.strictObject({
  ...passwordChange,
  ...about,
  ...byAdmins,
  active: z.boolean().optional(),
});

const drawStored = ({ _id, ...rest }: StoredUser): ShownUser => drawUser({ id: _id, ...rest });

/** The own company, or for operators any. */
const reaches = (ctx: Ctx, company: string): boolean =>
  company === ctx.actor.company || ctx.actor.operator === true;

async function companyFor(ctx: Ctx, id: string | undefined): Promise<string> {
  if (id === undefined || id === ctx.actor.company) return ctx.actor.company;
  if (!ctx.actor.operator || !(await companyCollection().findOne({ _id: id, active: true })))
    throw unknown('company');
  return id;
}

/** Registering oneself: always as a customer, where the installation and the company allow it. */
export async function register(
  ctx: Ctx,
  given: z.output<typeof registerInput>,
  rules: { allowed: boolean; firstCompany: string },
  from?: string,
): Promise<ShownUser> {
  const place = network(from);
  const [failures, made] = [[[REGISTER_ADDRESS, place]], [[REGISTERED_ADDRESS, place]]] as const;
  await notThrottled(
    ctx,
    [...failures, ...made],
    'There were too many attempts to register. Wait a moment, then try again.',
  );
  const company = await companyCollection().findOne({ _id: given.companyId ?? rules.firstCompany });
  if (!rules.allowed || !company?.active || !company.allowRegistration)
    throw forbidden('registration.closed', 'Nobody can register here. Ask for an invitation.');
  const { companyId: _, ...rest } = given;
  try {
    const user = await insert(ctx, company._id, { ...rest, role: 'customer', addressProven: false });
    await countFailure(ctx, made);
    return user;
  } catch (error) {
    if (error instanceof Refusal && error.kind === 'conflict') await countFailure(ctx, failures);
    throw error;
  }
}

export async function addUser(ctx: Ctx, given: z.output<typeof userInput>): Promise<ShownUser> {
  const company = await companyFor(ctx, given.companyId);
  await checkTeams(company, given.teamIds);
  const made = await insert(ctx, company, given);
  await note(ctx, 'user.created', made.id, { role: made.role }, company);
  return made;
}

type NewUser = Omit<z.output<typeof userInput>, 'companyId'> & Pick<StoredUser, 'addressProven'>;

async function insert(ctx: Ctx, company: string, given: NewUser): Promise<ShownUser> {
  const at = ctx.now();
  const _id = ctx.cause ? idFrom('user', company, ctx.cause) : newId(at);
  const stored: StoredUser = {
    _id,
    company,
    email: given.email,
    username: given.username ?? given.email,
    fullName: given.fullName ?? null,
    phoneNumber: given.phoneNumber ?? null,
    role: given.role ?? 'customer',
    teams: [...new Set(given.teamIds ?? [])],
    skills: given.skills ?? [],
    timeZone: given.timeZone ?? null,
    active: true,
    ...(given.addressProven === false ? { addressProven: false } : {}),
    password: given.password === undefined ? null : await hashPassword(given.password),
    tokensSince: new Date(0),
    createdAt: at,
    updatedAt: at,
  };
  try {
    await userCollection().insertOne(stored);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    const there = ctx.redo ? await userCollection().findOne({ _id }) : null;
    if (!there) throw await taken(given.email, given.username);
    return drawStored(there);
  }
  return drawStored(stored);
}

async function taken(email: string | undefined, name: string | undefined) {
  const byEmail = email !== undefined && (await userCollection().findOne({ email }));
  const [path, value] = byEmail || name === undefined ? ['email', email] : ['username', name];
  return conflict('user.taken', `Somebody has the ${path} ${value} already.`, {
    details: [{ path, message: 'is taken' }],
  });
}

async function checkTeams(company: string, ids: readonly string[] | undefined): Promise<void> {
  if (!ids?.length) return;
  const wanted = [...new Set(ids)];
  const found = await teamCollection().countDocuments({ _id: { $in: wanted }, company, deletedAt: null });
  if (found !== wanted.length)
    throw invalid('team.unknown', 'One of these teams does not exist.', [
      { path: 'team_ids', message: 'names a team that does not exist' },
    ]);
}

export const userQuery = z.strictObject({
  ...pageQuery,
  role: repeated(roleInput).optional(),
  active: yesOrNo.optional(),
  team: z.string().max(64).optional(),
  q: z.string().trim().max(100).optional().meta({ description: 'Part of the name or address.' }),
  companyId: z.string().max(64).optional().meta({ description: 'Another company: operators only.' }),
  sortBy: z.enum(['created_at', 'email', 'username']).default('created_at'),
  order: z.enum(['asc', 'desc']).default('asc'),
});

export async function users(ctx: Ctx, query: z.output<typeof userQuery>): Promise<Page<ShownUser>> {
  const text = query.q ? containing(query.q) : null;
  const filter = {
    company: await companyFor(ctx, query.companyId),
    deletedAt: null,
    ...(query.role ? { role: { $in: query.role } } : {}),
    ...(query.active === undefined ? {} : { active: query.active }),
    ...(query.team ? { teams: query.team } : {}),
    ...(text ? { $or: [{ email: text }, { username: text }, { fullName: text }] } : {}),
  };
  const field = query.sortBy === 'created_at' ? 'createdAt' : query.sortBy;
  const order = { field, direction: query.order, unique: field !== 'createdAt' };
  return list(userCollection(), filter, order, query, drawStored, {
    projection: { password: 0 },
  });
}

/** Oneself, or, for those who may look at people, anybody in reach. */
async function load(ctx: Ctx, id: string): Promise<Member> {
  const found = await member(id);
  if (!found || found.deletedAt || !reaches(ctx, found.company)) throw unknown('user');
  if (id !== ctx.actor.id && !may(ctx.actor, 'people.read')) throw unknown('user');
  return found;
}

export const readUser = async (ctx: Ctx, id: string): Promise<ShownUser> => drawUser(await load(ctx, id));

export type UserChange = z.output<typeof userChange>;

export async function changeUser(ctx: Ctx, id: string, given: UserChange): Promise<ShownUser> {
  const before = await load(ctx, id);
  const isSelf = id === ctx.actor.id;
  const manages = may(ctx.actor, 'people.manage');
  if (!isSelf && !manages) throw forbidden('user.change', 'Only administrators change other people.');
  if (!manages)
    for (const field of ['role', 'teamIds', 'skills', 'active'] as const)
      if (given[field] !== undefined)
        throw forbidden('user.change', `Only administrators change ${field.replace('Ids', 's')}.`);
  if (isSelf && given.active === false)
    throw conflict('user.self', 'Nobody closes their own account this way: delete it, or ask somebody.');
  if (isSelf) await confirmSelf(ctx, before, given);
  await checkTeams(before.company, given.teamIds);
  if ((given.role !== undefined && given.role !== 'admin') || given.active === false)
    await keepOneAdmin(ctx, before);
  return write(ctx, before, given);
}

/** A stolen session must not be able to take the account over. */
async function confirmSelf(ctx: Ctx, { id, email }: Member, given: UserChange): Promise<void> {
  if (given.password === undefined && (given.email === undefined || given.email === email)) return;
  const wrong = (message: string) =>
    invalid('user.current_password', 'Give your current password to change this.', [
      { path: 'current_password', message },
    ]);
  if (given.currentPassword === undefined) throw wrong('is required');
  const bucket = [[CONFIRM_PERSON, id]] as const;
  const { currentPassword } = given;
  const fits = await inTurn(id, async () => {
    await notThrottled(ctx, bucket, 'There were too many wrong passwords. Wait a moment.');
    const stored = await userCollection().findOne({ _id: id });
    return passwordFits(stored?.password ?? null, currentPassword);
  });
  if (fits) return;
  await countFailure(ctx, bucket);
  throw wrong('is not right');
}

const STEPPING_MS = 30_000;

/**
 * A company without an administrator could not be managed any more. Whoever goes says so first, and looks then: of two
 * who go at the same moment at least one sees the other, and stays.
 */
async function keepOneAdmin(ctx: Ctx, user: Member): Promise<void> {
  if (user.role !== 'admin') return;
  const at = ctx.now();
  await userCollection().updateOne({ _id: user.id }, { $set: { stepsDownAt: at } });
  const stays = [{ stepsDownAt: null }, { stepsDownAt: { $lt: new Date(at.getTime() - STEPPING_MS) } }];
  const filter = { company: user.company, role: 'admin' as const, active: true, _id: { $ne: user.id } };
  if (await userCollection().findOne({ ...filter, $or: stays })) return;
  await userCollection().updateOne({ _id: user.id }, { $unset: { stepsDownAt: '' } });
  throw conflict('user.last_admin', 'This is the last administrator of the company.');
}

async function write(ctx: Ctx, before: Member, given: UserChange): Promise<ShownUser> {
  const { password, currentPassword: _, teamIds, ...plain } = given;
  const at = ctx.now();
  const set: Partial<StoredUser> = { updatedAt: at };
  for (const [name, value] of Object.entries({ ...plain, teams: teamIds }))
    if (value !== undefined) Object.assign(set, { [name]: value });
  if (given.email !== undefined && given.username === undefined && before.username === before.email)
    set.username = given.email;
  if (given.email !== undefined && given.email !== before.email)
    set.addressProven = may(ctx.actor, 'people.manage');
  if (password !== undefined) Object.assign(set, { password: await hashPassword(password), tokensSince: at });
  const after = await userCollection()
    .findOneAndUpdate(
      { _id: before.id, deletedAt: null },
      { $set: set, $unset: { stepsDownAt: '', ...(given.role === undefined ? {} : { agentBy: '' }) } },
      { returnDocument: 'after', projection: { password: 0 } },
    )
    .catch(async (error) => {
      throw isDuplicate(error) ? await taken(given.email, given.username) : error;
    });
  forgetMember(before.id);
  if (!after) throw unknown('user');
  if (password !== undefined || after.active === false) await endSessions(ctx, before.id, 'account_changed');
  if (before.role !== 'customer' && (after.active === false || after.role === 'customer'))
    await handBack(ctx, before.company, before.id);
  await tell(ctx, before, after, password !== undefined);
  return drawStored(after);
}

async function tell(ctx: Ctx, before: Member, after: StoredUser, newSecret: boolean): Promise<void> {
  const say = (action: string, facts = {}) => note(ctx, action, before.id, facts, before.company);
  if (after.role !== before.role) await say('user.role_changed', { from: before.role, to: after.role });
  if (after.active !== before.active) await say(after.active ? 'user.activated' : 'user.deactivated');
  if (after.email !== before.email) await say('user.address_changed');
  if (newSecret) await say('user.password_changed');
}

export async function setActive(ctx: Ctx, id: string, active: boolean): Promise<ShownUser> {
  const before = await load(ctx, id);
  if (before.active === active) return drawUser(before);
  return changeUser(ctx, id, { active });
}

/** The account is gone, and its name and address are free again; what the person did stays in the history. */
export async function removeUser(ctx: Ctx, id: string): Promise<void> {
  const before = await load(ctx, id);
  if (id !== ctx.actor.id && !may(ctx.actor, 'people.manage'))
    throw forbidden('user.remove', 'Only administrators remove other people.');
  await keepOneAdmin(ctx, before);
  const at = ctx.now();
  await userCollection().updateOne(
    { _id: id },
    {
      $set: {
        email: `${id}@deleted.invalid`,
        username: `deleted-${id}`,
        phoneNumber: null,
        password: null,
        active: false,
        deletedAt: at,
        tokensSince: at,
        updatedAt: at,
        teams: [],
      },
    },
  );
  forgetMember(id);
  await endSessions(ctx, id, 'account_removed');
  await revokeKeysOf(ctx, id);
  await handBack(ctx, before.company, id);
  await identityCollection().deleteMany({ company: before.company, 'person.id': id });
  await note(ctx, 'user.removed', id, {}, before.company);
}
