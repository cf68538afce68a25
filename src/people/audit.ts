// The audit trail of people: who was given or lost what, and what looked like an attack. Lines are only ever added.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { newId } from '../id.ts';
import { list, type Page, pageQuery } from '../lists.ts';
import { auditCollection, type StoredAuditLine } from './model.ts';

export async function note(
  ctx: Ctx,
  action: string,
  subject: string | null,
  facts: Record<string, unknown> = {},
  company = ctx.actor.company,
): Promise<void> {
  const { kind, id, name } = ctx.actor;
  const at = ctx.now();
  const line: StoredAuditLine = {
    _id: newId(at),
    company,
    at,
    action,
    by: { kind, id, name },
    via: ctx.via,
    request: ctx.request,
    subject,
    facts,
  };
  await auditCollection().insertOne(line);
  ctx.log.info({ audit: action, by: id, subject, company }, 'audit');
}

export const auditQuery = z.strictObject({
  ...pageQuery,
  action: z.string().max(60).optional(),
  subjectId: z.string().max(64).optional(),
});
export type AuditLine = Omit<StoredAuditLine, '_id' | 'company' | 'subject'> & {
  id: string;
  subjectId: string | null;
};

export function auditTrail(ctx: Ctx, query: z.output<typeof auditQuery>): Promise<Page<AuditLine>> {
  const filter = {
    company: ctx.actor.company,
    ...(query.action === undefined ? {} : { action: query.action }),
    ...(query.subjectId === undefined ? {} : { subject: query.subjectId }),
  };
  return list(
    auditCollection(),
    filter,
    { field: 'at', direction: 'desc' },
    query,
    ({ _id, company: _, subject, ...line }: StoredAuditLine) => ({ id: _id, subjectId: subject, ...line }),
  );
}
