// The first start: the first company, with its desk and its administrator. What a new company begins with.
import type { Config } from '../config.ts';
import { systemCtx } from '../context.ts';
import { openDesk } from '../desks/desks.ts';
import { idFrom } from '../id.ts';
import type { Logger } from '../log.ts';
import { isDuplicate } from '../store.ts';
import { companyCollection, type StoredCompany, userCollection } from './model.ts';
import { hashPassword } from './passwords.ts';
import { tendSigningKeys } from './tokens.ts';

/** The company `Default` has the same id in every installation, so that two processes starting at once agree. */
export const FIRST_COMPANY = idFrom('company', 'Default');

export function newCompany(_id: string, name: string, at: Date): StoredCompany {
  return {
    _id,
    name,
    address: null,
    email: null,
    domains: [],
    root: false,
    autoPrioritize: false,
    autoCategorize: false,
    autoAssign: false,
    allowRegistration: true,
    active: true,
    createdAt: at,
    updatedAt: at,
  };
}

const unlessThere = async (insert: Promise<unknown>): Promise<boolean> => {
  try {
    await insert;
    return true;
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return false;
  }
};

/** Idempotent. Returns whether the administrator was made just now. */
export async function firstStart(config: Config, log: Logger): Promise<boolean> {
  const at = new Date();
  await unlessThere(
    companyCollection().insertOne({ ...newCompany(FIRST_COMPANY, 'Default', at), root: true }),
  );
  await openDesk(systemCtx({ log }, FIRST_COMPANY), {
    key: 'TKT',
    name: 'Support',
    preset: 'support',
    isDefault: true,
  });
  await tendSigningKeys(at);
  const email = config.ADMIN_EMAIL.toLowerCase();
  if (await userCollection().findOne({ company: FIRST_COMPANY, role: 'admin' })) return false;
  return unlessThere(
    userCollection().insertOne({
      _id: idFrom('user', 'first administrator'),
      company: FIRST_COMPANY,
      email,
      username: email,
      fullName: 'Administrator',
      phoneNumber: null,
      role: 'admin',
      teams: [],
      skills: [],
      timeZone: null,
      active: true,
      password: await hashPassword(config.ADMIN_PASSWORD),
      tokensSince: new Date(0),
      createdAt: at,
      updatedAt: at,
    }),
  );
}

/** `auto_assign`: desks without a rule of their own give their tickets to teams. */
export const assignsByItself = async (company: string): Promise<boolean> =>
  (await companyCollection().findOne({ _id: company }, { projection: { autoAssign: 1 } }))?.autoAssign ===
  true;

export async function companiesThatAssign(): Promise<string[]> {
  const found = await companyCollection()
    .find({ autoAssign: true, active: true }, { projection: { _id: 1 } })
    .toArray();
  return found.map(({ _id }) => _id);
}
