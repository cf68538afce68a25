// People as stored: companies, users, contacts, teams, identities, sessions, keys. Private to this folder.
import { Schema } from 'mongoose';
import { plainModel } from '../store.ts';
import type { Table } from '../table.ts';
import type { Role, Scope } from './access.ts';

export interface StoredCompany {
  _id: string;
  name: string;
  address: string | null;
  email: string | null;
  domains: string[];
  /** The installation's own company: its administrators may open others. */
  root: boolean;
  autoPrioritize: boolean;
  autoCategorize: boolean;
  autoAssign: boolean;
  allowRegistration: boolean;
  active: boolean;
  deletedAt?: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

export interface StoredUser {
  _id: string;
  company: string;
  email: string;
  /** False: they said so themselves. Then nobody is taken for them because of it. */
  addressProven?: boolean;
  username: string;
  fullName: string | null;
  phoneNumber: string | null;
  role: Role;
  /** The places by which they are an agent (standing.ts); an administrator's word takes their stead. */
  agentBy?: string[];
  teams: string[];
  skills: string[];
  timeZone: string | null;
  active: boolean;
  /** An administrator who is about to be none: for a moment they count for none. */
  stepsDownAt?: Date;
  deletedAt?: Date | null;
  /** argon2id; never leaves this folder. */
  password: string | null;
  /** Access tokens from before this instant are void. */
  tokensSince: Date;
  createdAt: Date;
  updatedAt: Date;
}

export interface StoredContact {
  _id: string;
  company: string;
  name: string;
  emails: string[];
  phoneNumber: string | null;
  notes: string | null;
  mergedInto: string | null;
  erasedAt: Date | null;
  /** Begun and not finished yet. */
  erasing?: boolean;
  createdAt: Date;
  updatedAt: Date;
}

/** What a merge of two contacts moved, so that it can be taken apart again. */
export interface StoredMerge {
  _id: string;
  company: string;
  from: string;
  into: string;
  emails: string[];
  identities: string[];
  tickets: string[];
  state: 'merging' | 'merged' | 'unmerging' | 'undone';
  by: string;
  at: Date;
}

export interface StoredTeam {
  _id: string;
  company: string;
  name: string;
  description: string;
  category: string | null;
  active: boolean;
  deletedAt?: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

export interface Person {
  kind: 'user' | 'contact';
  id: string;
}

/** A Slack user, Discord user, address or partner id proven to be somebody. */
export interface StoredIdentity {
  /** Made from company, provider, workspace and external id: there can be only one. */
  _id: string;
  company: string;
  provider: string;
  workspace: string;
  externalId: string;
  /** As the provider shows them. Never a reason to link. */
  name: string;
  person: Person | null;
  proof: 'profile_email' | 'code' | 'mail' | 'admin' | 'none';
  /** Links that somebody undid: never made again by themselves. */
  undone: string[];
  /** The address that a link rested on is theirs no more: only a code or an administrator links them again. */
  lapsed?: boolean;
  at: Date;
}

/** One half of a link, waiting for the other: made by the account, said in the chat, or the other way round. */
export interface StoredLinkCode {
  /** Hash of the code. */
  _id: string;
  company: string;
  user: string | null;
  external: { provider: string; workspace: string; externalId: string; name: string } | null;
  expiresAt: Date;
}

export interface StoredAuditLine {
  _id: string;
  company: string;
  at: Date;
  /** Past tense: `user.role_changed`. */
  action: string;
  by: { kind: string; id: string; name: string };
  via: string;
  request: string;
  subject: string | null;
  facts: Record<string, unknown>;
}

export interface StoredSession {
  /** The token family. */
  _id: string;
  user: string;
  company: string;
  /** Hash of the one refresh token that is good now. */
  current: string;
  /** Hash of the one before, and until when its use is taken for the same refresh (two tabs at once). */
  previous: string | null;
  graceUntil: Date | null;
  revokedAt: Date | null;
  reason: string | null;
  expiresAt: Date;
  createdAt: Date;
  usedAt: Date;
}

/** A bucket of failures, or a place that an account is known to sign in from. */
export interface StoredAttempt {
  _id: string;
  /** Milliseconds since 1970. */
  emptyAt: number;
  expiresAt: Date;
}

export interface StoredApiKey {
  /** The public part, shown in lists. */
  _id: string;
  company: string;
  user: string;
  name: string;
  hash: string;
  scopes: Scope[];
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
  createdAt: Date;
}

export interface StoredSigningKey {
  _id: string;
  /** PKCS 8, sealed with SECRET_KEY. */
  sealed: string;
  publicPem: string;
  createdAt: Date;
  retiredAt: Date | null;
}

const shape = (collection: string) =>
  new Schema({ _id: String }, { collection, strict: false, versionKey: false });

const companies = shape('companies');
companies.index({ name: 1 }, { unique: true });
companies.index({ deletedAt: 1, createdAt: 1, _id: 1 });
companies.index({ autoAssign: 1 }, { partialFilterExpression: { autoAssign: true } });
const users = shape('users');
users.index({ email: 1 }, { unique: true });
users.index({ username: 1 }, { unique: true });
users.index({ company: 1, createdAt: 1, _id: 1 });
users.index({ company: 1, email: 1 });
users.index({ company: 1, username: 1 });
users.index({ company: 1, teams: 1 });
users.index({ company: 1, role: 1, createdAt: 1, _id: 1 });
const contacts = shape('contacts');
contacts.index({ company: 1, emails: 1 }, { unique: true, partialFilterExpression: { emails: { $gt: '' } } });
contacts.index({ company: 1, createdAt: 1, _id: 1 });
contacts.index({ company: 1, updatedAt: 1, _id: 1 });
contacts.index({ company: 1, name: 1, _id: 1 });
contacts.index({ company: 1, mergedInto: 1 });
contacts.index({ erasing: 1 }, { partialFilterExpression: { erasing: true } });
const merges = shape('merges');
merges.index({ company: 1, from: 1 });
merges.index({ state: 1 });
const teams = shape('teams');
teams.index({ company: 1, name: 1 }, { unique: true });
const identities = shape('identities');
identities.index({ company: 1, 'person.id': 1 });
const linkCodes = shape('link_codes');
linkCodes.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });
const audit = shape('audit');
audit.index({ company: 1, at: -1, _id: -1 });
const sessions = shape('sessions');
sessions.index({ user: 1 });
sessions.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });
const attempts = shape('attempts');
attempts.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });
const apiKeys = shape('api_keys');
apiKeys.index({ company: 1, createdAt: 1, _id: 1 });
apiKeys.index({ user: 1, createdAt: 1, _id: 1 });
const signingKeys = shape('signing_keys');
signingKeys.index({ retiredAt: 1 });

const models = {
  companies: plainModel('Company', companies),
  users: plainModel('User', users),
  contacts: plainModel('Contact', contacts),
  merges: plainModel('Merge', merges),
  teams: plainModel('Team', teams),
  identities: plainModel('Identity', identities),
  linkCodes: plainModel('LinkCode', linkCodes),
  audit: plainModel('AuditLine', audit),
  sessions: plainModel('Session', sessions),
  attempts: plainModel('Attempt', attempts),
  apiKeys: plainModel('ApiKey', apiKeys),
  signingKeys: plainModel('SigningKey', signingKeys),
};
export const companyCollection = () => models.companies.collection as Table<StoredCompany>;
export const userCollection = () => models.users.collection as Table<StoredUser>;
export const contactCollection = () => models.contacts.collection as Table<StoredContact>;
export const mergeCollection = () => models.merges.collection as Table<StoredMerge>;
export const teamCollection = () => models.teams.collection as Table<StoredTeam>;
export const identityCollection = () => models.identities.collection as Table<StoredIdentity>;
export const linkCodeCollection = () => models.linkCodes.collection as Table<StoredLinkCode>;
export const auditCollection = () => models.audit.collection as Table<StoredAuditLine>;
export const sessionCollection = () => models.sessions.collection as Table<StoredSession>;
export const attemptCollection = () => models.attempts.collection as Table<StoredAttempt>;
export const apiKeyCollection = () => models.apiKeys.collection as Table<StoredApiKey>;
export const signingKeyCollection = () => models.signingKeys.collection as Table<StoredSigningKey>;
