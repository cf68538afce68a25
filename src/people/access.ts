// Who may do what: the permission model, in one pure table. A customer sees what is theirs; agents see the company's
// tickets; each role has all that the one before it has. Not yours to see is "unknown", never "forbidden".

export const ROLES = ['customer', 'agent', 'lead', 'manager', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export const SCOPES = ['read', 'write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Each deed: the least role, what it needs of an API key, and a sentence for the documentation. */
export const DEEDS = {
  'ticket.create': { role: 'customer', scope: 'write', says: 'file a ticket' },
  'ticket.read': { role: 'customer', scope: 'read', says: 'read own tickets; agents read all' },
  'ticket.reply': { role: 'customer', scope: 'write', says: 'reply on own tickets; agents on all' },
  'ticket.note': { role: 'agent', scope: 'write', says: 'read and write internal notes' },
  'ticket.edit': {
    role: 'agent',
    scope: 'write',
    says: 'edit tickets assigned to oneself or to nobody; leads those of their teams; managers any',
  },
  'ticket.edit_own': {
    role: 'customer',
    scope: 'write',
    says: 'correct title, description and tags of own tickets that nobody works on yet',
  },
  'ticket.take': { role: 'agent', scope: 'write', says: 'claim and release a ticket oneself' },
  'ticket.assign_team': { role: 'lead', scope: 'write', says: 'assign tickets to members of own teams' },
  'ticket.assign_any': { role: 'manager', scope: 'write', says: 'assign any ticket to anybody' },
  'ticket.work': {
    role: 'agent',
    scope: 'write',
    says: 'change the status, resolve, close, escalate, snooze, merge, split and link tickets',
  },
  'ticket.reopen': { role: 'customer', scope: 'write', says: 'reopen or close own tickets; agents all' },
  'ticket.feedback': { role: 'customer', scope: 'write', says: 'rate own tickets' },
  'ticket.watch': { role: 'agent', scope: 'write', says: 'watch tickets' },
  'ticket.bulk': { role: 'agent', scope: 'write', says: 'change many tickets at once' },
  'ticket.export': { role: 'agent', scope: 'read', says: 'export tickets' },
  'ticket.import': { role: 'manager', scope: 'admin', says: 'import tickets' },
  'ticket.delete': { role: 'admin', scope: 'admin', says: 'delete tickets' },
  'comment.delete_any': { role: 'admin', scope: 'admin', says: "delete other people's comments" },
  'people.read': { role: 'agent', scope: 'read', says: 'see users, teams and contacts of the company' },
  'people.manage': { role: 'admin', scope: 'admin', says: 'create, change and remove users' },
  'contact.manage': { role: 'agent', scope: 'write', says: 'create, change and merge contacts' },
  'contact.erase': { role: 'admin', scope: 'admin', says: "erase a contact's personal data" },
  'team.manage': { role: 'manager', scope: 'admin', says: 'create and change teams and their members' },
  'company.read': { role: 'customer', scope: 'read', says: 'see the own company' },
  'company.manage': { role: 'admin', scope: 'admin', says: 'change the company' },
  'desk.read': { role: 'customer', scope: 'read', says: 'see desks, workflows and categories' },
  'place.read': { role: 'agent', scope: 'read', says: 'see workspaces and channels' },
  'desk.manage': {
    role: 'manager',
    scope: 'admin',
    says: 'create and change desks, workflows and categories',
  },
  'desk.delete': { role: 'manager', scope: 'admin', says: 'close and delete desks' },
  'macro.use': { role: 'agent', scope: 'read', says: 'use macros' },
  'macro.manage': { role: 'lead', scope: 'write', says: 'create and change macros' },
  'sla.read': { role: 'agent', scope: 'read', says: 'see policies, calendars and explanations' },
  'sla.manage': { role: 'manager', scope: 'admin', says: 'change policies and calendars' },
  'routing.read': { role: 'agent', scope: 'read', says: 'see routing rules, rotas and who is away' },
  'routing.manage': { role: 'lead', scope: 'write', says: 'set routing rules and rotas, and route tickets' },
  'presence.set': { role: 'agent', scope: 'write', says: 'say that one is away; leads of others' },
  'rule.read': { role: 'lead', scope: 'read', says: 'see automation rules and their run log, rehearse them' },
  'rule.manage': { role: 'manager', scope: 'admin', says: 'create and change automation rules' },
  'hook.manage': { role: 'admin', scope: 'admin', says: 'manage sources and subscriptions' },
  'delivery.read': { role: 'agent', scope: 'read', says: 'see deliveries' },
  'delivery.retry': { role: 'agent', scope: 'write', says: 'send a delivery again' },
  'report.read': { role: 'lead', scope: 'read', says: 'read reports' },
  'key.manage': { role: 'agent', scope: 'admin', says: 'manage own API keys; admins all' },
  'queue.watch': { role: 'admin', scope: 'admin', says: 'look into the queues' },
  'self.manage': {
    role: 'customer',
    scope: 'write',
    says: 'change the own account, identities, notifications',
  },
  'self.read': { role: 'customer', scope: 'read', says: 'see the own account and notifications' },
} as const satisfies Record<string, { role: Role; scope: Scope; says: string }>;
export type Deed = keyof typeof DEEDS;

export const rank = (role: Role): number => ROLES.indexOf(role);
export const atLeast = (role: Role, least: Role): boolean => rank(role) >= rank(least);

export interface Who {
  readonly kind: 'user' | 'contact' | 'system';
  readonly id: string;
  readonly role: Role;
  readonly company: string;
  readonly teams: readonly string[];
  readonly scopes?: readonly Scope[];
}

const scopeReaches = (has: Scope, needs: Scope): boolean => SCOPES.indexOf(has) >= SCOPES.indexOf(needs);

/** May they do this at all, before we look at a particular ticket? */
export function may(who: Who, deed: Deed): boolean {
  if (who.kind === 'system') return true;
  const { role, scope } = DEEDS[deed];
  if (!atLeast(who.role, role)) return false;
  return who.scopes === undefined || who.scopes.some((has) => scopeReaches(has, scope));
}

/** What access needs to know of a ticket. */
export interface Owned {
  readonly company: string;
  readonly requester: { readonly kind: 'user' | 'contact'; readonly id: string };
  readonly assignee: string | null;
  readonly team: string | null;
  readonly watchers: readonly string[];
}

export const isRequester = (who: Pick<Who, 'kind' | 'id'>, ticket: Pick<Owned, 'requester'>): boolean =>
  ticket.requester.id === who.id && ticket.requester.kind === who.kind;

/** Seen at all? A customer sees the tickets they asked for, or were invited to watch. */
export function maySee(who: Who, ticket: Owned): boolean {
  if (ticket.company !== who.company) return false;
  if (!may(who, 'ticket.read')) return false;
  if (who.kind === 'system' || atLeast(who.role, 'agent')) return true;
  return isRequester(who, ticket) || (who.kind === 'user' && ticket.watchers.includes(who.id));
}

export const maySeeNotes = (who: Who): boolean =>
  who.kind === 'system' || (may(who, 'ticket.read') && atLeast(who.role, 'agent'));

/** Agents edit what is theirs or nobody's; leads also what is their teams'; managers everything. */
export function mayEdit(who: Who, ticket: Owned): boolean {
  if (!may(who, 'ticket.edit')) return false;
  if (who.kind === 'system' || atLeast(who.role, 'manager')) return true;
  if (ticket.assignee === who.id || ticket.assignee === null) return true;
  return who.role === 'lead' && ticket.team !== null && who.teams.includes(ticket.team);
}

/** The table as the documentation shows it. */
export const permissions = (): { deed: Deed; says: string; roles: Role[] }[] =>
  (Object.keys(DEEDS) as Deed[]).map((deed) => ({
    deed,
    says: DEEDS[deed].says,
    roles: ROLES.filter((role) => atLeast(role, DEEDS[deed].role)),
  }));
