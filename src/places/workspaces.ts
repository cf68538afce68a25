// Workspaces: installed, bound to a company, in need of attention, gone. Read on every inbound message, hence kept for
// a moment.
import { randomBytes } from 'node:crypto';
import type { Ctx } from '../context.ts';
import { findDesk } from '../desks/desks.ts';
import { forbidden, unknown } from '../errors.ts';
import { remembered } from '../memory.ts';
import { may } from '../people/access.ts';
import { fingerprint, seal, unseal } from '../secrets.ts';
import { type StoredWorkspace, workspaceCollection } from './model.ts';
import type { Surface, Workspace } from './place.ts';

const PURPOSE = 'installation';
export const workspaceId = (surface: Surface, external: string): string => `${surface}:${external}`;

const asWorkspace = ({ _id, sealed: _, claim: __, ...rest }: StoredWorkspace): Workspace => ({
  id: _id,
  ...rest,
});

interface Known {
  workspace: Workspace;
  installation: unknown;
}

const byId = remembered('workspace', async (id: string): Promise<Known | null> => {
  const stored = await workspaceCollection().findOne({ _id: id });
  if (!stored) return null;
  return {
    workspace: asWorkspace(stored),
    installation: stored.sealed ? JSON.parse(unseal(PURPOSE, stored.sealed)) : null,
  };
});

export const workspaceOf = async (surface: Surface, external: string): Promise<Known | null> =>
  byId(workspaceId(surface, external));

/** The first workspace of a surface belongs to the first company; the next ones wait to be claimed by code. */
export async function installWorkspace(
  surface: Surface,
  external: string,
  name: string,
  installation: unknown,
  first: { company: string },
): Promise<{ workspace: Workspace; claim: string | null }> {
  const _id = workspaceId(surface, external);
  const at = new Date();
  const sealed = installation === null ? null : seal(PURPOSE, JSON.stringify(installation));
  const before = await workspaceCollection().findOne({ _id });
  // Two processes that start at once both find it missing: its own row, just written, is none of the others.
  const other = await workspaceCollection().findOne({ surface, company: { $ne: null }, _id: { $ne: _id } });
  const company = before?.company ?? (before || other ? null : first.company);
  const claim = company ? null : randomBytes(9).toString('base64url');
  const stored: StoredWorkspace = {
    _id,
    surface,
    external,
    name,
    company,
    desk: before?.desk ?? null,
    state: company ? 'active' : 'unbound',
    reason: null,
    sealed,
    claim: claim ? fingerprint(claim) : null,
    createdAt: before?.createdAt ?? at,
    updatedAt: at,
  };
  await workspaceCollection().replaceOne({ _id }, stored, { upsert: true });
  byId.forget(_id);
  return { workspace: asWorkspace(stored), claim };
}

export async function markWorkspace(
  surface: Surface,
  external: string,
  state: 'needs_attention' | 'gone' | 'active',
  reason: string | null,
): Promise<boolean> {
  const _id = workspaceId(surface, external);
  const done = await workspaceCollection().updateOne(
    { _id, state: { $ne: state }, company: { $ne: null } },
    { $set: { state, reason, updatedAt: new Date(), ...(state === 'gone' ? { sealed: null } : {}) } },
  );
  byId.forget(_id);
  return done.modifiedCount === 1;
}

/** An administrator says, with the code that the installation showed: this workspace is ours. */
export async function claimWorkspace(ctx: Ctx, code: string, deskRef?: string): Promise<Workspace> {
  if (!may(ctx.actor, 'desk.manage')) throw forbidden('workspace.claim', 'Only managers bind workspaces.');
  const desk = await findDesk(ctx.actor.company, deskRef);
  const stored = await workspaceCollection().findOneAndUpdate(
    { claim: fingerprint(code.trim()), company: null },
    {
      $set: {
        company: ctx.actor.company,
        desk: desk.id,
        state: 'active',
        claim: null,
        updatedAt: ctx.now(),
      },
    },
    { returnDocument: 'after' },
  );
  if (!stored) throw unknown('workspace', 'No workspace waits for this code.');
  byId.forget(stored._id);
  return asWorkspace(stored);
}

export async function workspaces(ctx: Ctx): Promise<Workspace[]> {
  if (!may(ctx.actor, 'place.read')) throw forbidden('workspace.list', 'You may not see the workspaces.');
  return (await workspaceCollection().find({ company: ctx.actor.company }).toArray()).map(asWorkspace);
}
