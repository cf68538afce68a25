// Attaching files to tickets. A row says that bytes are coming, then come the bytes, then the ticket's entry: whatever
// dies in between leaves at most a row that no ticket knows of, which is swept away after a day with its bytes.
import type { Readable, Transform } from 'node:stream';
import { type Ctx, systemCtx } from '../context.ts';
import { conflict, forbidden, Refusal, unknown, unlessGone } from '../errors.ts';
import type { Audience, Entry } from '../history/entry.ts';
import { idFrom, newId } from '../id.ts';
import { may, maySeeNotes } from '../people/access.ts';
import { isDuplicate } from '../store.ts';
import { change } from '../tickets/change.ts';
import { find } from '../tickets/find.ts';
import type { Ticket } from '../tickets/ticket.ts';
import { eased } from './easing.ts';
import { inspection } from './inspection.ts';
import { attachmentCollection, type StoredAttachment } from './model.ts';
import { hasScanner, scan, Unscannable } from './scan.ts';
import { bytesAt, mostBytes, type Range } from './storage.ts';
import { kindByName, plainName } from './types.ts';

/** Bytes that are here, of which the ticket does not know yet. */
export type Kept = StoredAttachment;
export type Attachment = Omit<StoredAttachment, '_id' | 'storageKey'> & { id: string };

export const shown = ({ _id, storageKey: _, ...rest }: StoredAttachment): Attachment => ({
  id: _id,
  ...rest,
});

export interface Arriving {
  name: string;
  bytes: Readable;
  description?: string | null;
  audience?: Audience;
  /** Which one of several that come with one message. */
  place?: number;
  /** It comes with words, which carry it to whoever hears them. */
  withWords?: boolean;
}

/** Streams a file in, checking as it passes. The ticket does not know of it yet. */
export async function keep(ctx: Ctx, ticket: string, file: Arriving): Promise<Kept> {
  const at = ctx.now();
  const _id = ctx.cause ? idFrom('file', ctx.actor.company, ctx.cause, String(file.place ?? 0)) : newId(at);
  try {
    const name = plainName(file.name);
    kindByName(name);
    // While the row is written nobody else may be listening.
    file.bytes.on('error', () => undefined);
    const coming: StoredAttachment = {
      _id,
      company: ctx.actor.company,
      ticket,
      name,
      ...{ size: 0, type: '', sha256: null },
      description: file.description ?? null,
      audience: file.audience ?? 'public',
      state: 'loose',
      scan: 'none',
      finding: null,
      storageKey: _id,
      uploadedBy: { kind: ctx.actor.kind, id: ctx.actor.id, name: ctx.actor.name },
      createdAt: at,
    };
    await expect(coming);
    const look = inspection(name, mostBytes());
    try {
      await bytesAt().put(_id, passedThrough(file.bytes, look.through));
    } catch (error) {
      await attachmentCollection()
        .deleteOne({ _id, state: 'loose', sha256: null })
        .catch(() => undefined);
      throw error;
    }
    const stored = { ...coming, ...look.result(), ...(await verdict(ctx, _id)) };
    const { size, type, sha256, scan, finding } = stored;
    await attachmentCollection().updateOne({ _id }, { $set: { size, type, sha256, scan, finding } });
    return stored;
  } catch (error) {
    file.bytes.unpipe();
    file.bytes.resume();
    throw error;
  }
}

/** What breaks off on the way breaks off at the end. */
function passedThrough(bytes: Readable, through: Transform): Transform {
  const broken = () => bytes.errored ?? new Error('the file broke off');
  if (bytes.destroyed && !bytes.readableEnded) throw broken();
  bytes.once('close', () => {
    if (!bytes.readableEnded) through.destroy(broken());
  });
  return bytes.pipe(through);
}

/** Done again under the same cause, it is the same row; one that a ticket knows of already stays as it is. */
async function expect(coming: StoredAttachment): Promise<void> {
  try {
    await attachmentCollection().insertOne(coming);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
}

export async function verdict(ctx: Ctx, key: string): Promise<Pick<StoredAttachment, 'scan' | 'finding'>> {
  if (!hasScanner()) return { scan: 'none', finding: null };
  try {
    const finding = await scan(await bytesAt().get(key));
    return finding.clean ? { scan: 'clean', finding: null } : { scan: 'infected', finding: finding.found };
  } catch (error) {
    const { message } = error as Error;
    ctx.log.warn({ file: key, reason: message }, 'a file could not be scanned; it waits');
    return { scan: 'pending', finding: error instanceof Unscannable ? message : null };
  }
}

/** Kept bytes become part of the ticket, by an entry. */
export async function attach(ctx: Ctx, kept: Kept, withWords = false): Promise<Attachment> {
  if (kept.scan === 'infected') {
    await bytesAt().remove(kept.storageKey);
    await attachmentCollection().updateOne({ _id: kept._id }, { $set: { state: 'refused' } });
    await change(ctx, kept.ticket, () => ({
      action: 'update',
      facts: { refusedFile: kept.name, finding: kept.finding },
    }));
    throw new Refusal(
      'refused',
      'attachment.infected',
      `"${kept.name}" was refused: the scanner found ${kept.finding}.`,
    );
  }
  await change(ctx, kept.ticket, () => ({
    action: 'attachment_added',
    facts: {
      attachment: kept._id,
      name: kept.name,
      size: kept.size,
      type: kept.type,
      audience: kept.audience,
      ...(withWords ? { withWords } : {}),
    },
  }));
  await attachmentCollection().updateOne(
    { _id: kept._id },
    { $set: { state: 'attached', ticket: kept.ticket } },
  );
  return shown({ ...kept, state: 'attached' });
}

/** What came with the message that made the ticket. Returns the ticket with them. */
export async function attachAll(ctx: Ctx, ticket: Ticket, kept: readonly Kept[]): Promise<Ticket> {
  for (const [at, one] of kept.entries())
    await attach(
      ctx.cause ? { ...ctx, cause: `${ctx.cause}#${at}` } : ctx,
      { ...one, ticket: ticket._id },
      true,
    );
  return find(ctx, ticket._id);
}

export async function add(ctx: Ctx, ref: string, file: Arriving): Promise<Attachment> {
  const ticket = await mayAdd(ctx, ref, file.audience ?? 'public');
  return attach(ctx, await keep(ctx, ticket._id, file), file.withWords);
}

/** A file that came before all that is said of it: nobody sees it until that is known. */
export async function addKept(
  ctx: Ctx,
  ref: string,
  kept: Kept,
  about: Pick<Kept, 'description' | 'audience'>,
): Promise<Attachment> {
  const ticket = await mayAdd(ctx, ref, about.audience);
  const known = { ...about, ticket: ticket._id };
  await attachmentCollection().updateOne({ _id: kept._id, state: 'loose' }, { $set: known });
  return attach(ctx, { ...kept, ...known });
}

export async function mayAdd(ctx: Ctx, ref: string, audience: Audience): Promise<Ticket> {
  const ticket = await find(ctx, ref);
  if (!may(ctx.actor, 'ticket.reply')) throw forbidden('attachment.add', 'You may not add files here.');
  if (audience === 'internal' && !maySeeNotes(ctx.actor))
    throw forbidden('attachment.internal', 'Only agents add internal files.');
  return ticket;
}

/** What its uploader puts on a note is for those who read notes, from then on. */
export async function keepInside(ctx: Ctx, ids: readonly string[]): Promise<void> {
  const { company, kind, id } = ctx.actor;
  await attachmentCollection().updateMany(
    { _id: { $in: [...ids] }, company, 'uploadedBy.kind': kind, 'uploadedBy.id': id },
    { $set: { audience: 'internal' } },
  );
}

/** They came for nothing: the message that brought them was refused. */
export async function discard(kept: readonly Kept[]): Promise<void> {
  for (const one of kept) {
    const gone = await attachmentCollection().deleteOne({ _id: one._id, state: 'loose' });
    if (gone.deletedCount) await bytesAt().remove(one.storageKey);
  }
}

/** For the relay: an entry says that a file is attached, whatever happened to the process that wrote it. */
export async function followAttachments(_ticket: unknown, entries: readonly Entry[]): Promise<void> {
  const ids = entries.flatMap(({ action, facts }) =>
    action === 'attachment_added' && typeof facts?.attachment === 'string' ? [facts.attachment] : [],
  );
  const [first] = entries;
  if (first && ids.length)
    await attachmentCollection().updateMany(
      { _id: { $in: ids }, state: 'loose' },
      { $set: { state: 'attached', ticket: first.ticket } },
    );
}

export async function attachmentsOf(ctx: Ctx, ref: string): Promise<Attachment[]> {
  const ticket = await find(ctx, ref);
  const rows = await attachmentCollection()
    .find({
      ticket: { $in: [ticket._id, ...ticket.mergedFrom.map((one) => one.ticket)] },
      state: 'attached',
    })
    .sort({ createdAt: 1, _id: 1 })
    .limit(1_000)
    .toArray();
  return rows.filter((one) => one.audience === 'public' || maySeeNotes(ctx.actor)).map(shown);
}

async function load(ctx: Ctx, id: string): Promise<{ stored: StoredAttachment; ticket: Ticket }> {
  const stored = await attachmentCollection().findOne({ _id: id, company: ctx.actor.company });
  if (stored?.state !== 'attached' || (stored.audience === 'internal' && !maySeeNotes(ctx.actor)))
    throw unknown('attachment');
  try {
    return { stored, ticket: await find(ctx, stored.ticket) };
  } catch {
    throw unknown('attachment');
  }
}

/** What is known of a file, and a way to its bytes; not before a scanner that is asked for has called it clean. */
export async function openAttachment(
  ctx: Ctx,
  id: string,
): Promise<{ attachment: Attachment; read: (range?: Range) => Promise<Readable> }> {
  const { stored } = await load(ctx, id);
  if (stored.scan === 'pending')
    throw conflict('attachment.not_scanned', 'This file is still being scanned. Try again in a moment.', {
      retryAfter: 5,
    });
  return {
    attachment: shown(stored),
    read: async (range) => eased(await bytesAt().get(stored.storageKey, range)),
  };
}

export async function remove(ctx: Ctx, id: string): Promise<void> {
  const { stored } = await load(ctx, id);
  const isOwn = stored.uploadedBy.id === ctx.actor.id && stored.uploadedBy.kind === ctx.actor.kind;
  if (!isOwn && ctx.actor.role !== 'admin')
    throw forbidden('attachment.remove', 'Only who uploaded a file, or an administrator, removes it.');
  await change(ctx, stored.ticket, () => ({
    action: 'attachment_removed',
    facts: { attachment: id, name: stored.name, audience: stored.audience },
  }));
  await attachmentCollection().updateOne({ _id: id }, { $set: { state: 'removed' } });
  await bytesAt().remove(stored.storageKey);
}

const DAY_MS = 86_400_000;

/** Bytes that no ticket came to know, and files that the scanner has not answered for. */
export async function sweepFiles(ctx: Ctx): Promise<void> {
  const old = new Date(ctx.now().getTime() - DAY_MS);
  await bytesAt().tidy(old);
  const loose = await attachmentCollection()
    .find({ state: { $in: ['loose', 'awaiting'] }, createdAt: { $lt: old } })
    .limit(100)
    .toArray();
  for (const one of loose) {
    await bytesAt().remove(one.storageKey);
    await attachmentCollection().deleteOne({ _id: one._id, state: one.state });
  }
  if (!hasScanner()) return;
  const waiting = await attachmentCollection()
    .find({ scan: 'pending', state: 'attached' })
    .sort({ askedAt: 1 })
    .limit(20)
    .toArray();
  for (const one of waiting) {
    const now = await verdict(ctx, one.storageKey);
    await attachmentCollection().updateOne(
      { _id: one._id },
      {
        $set: {
          ...now,
          askedAt: ctx.now(),
          ...(now.scan === 'infected' ? { state: 'refused' as const } : {}),
        },
      },
    );
    if (now.scan === 'infected') await tellInfected(ctx, one, now.finding);
    // Nobody answers: it would not for the next one either.
    if (now.scan === 'pending' && now.finding === null) return;
  }
}

/** It was attached before the scanner had answered: its bytes go, and the ticket says why. */
async function tellInfected(ctx: Ctx, file: StoredAttachment, finding: string | null): Promise<void> {
  await bytesAt().remove(file.storageKey);
  await change(systemCtx(ctx, file.company), file.ticket, () => ({
    action: 'attachment_removed',
    facts: { attachment: file._id, name: file.name, audience: file.audience, finding },
  })).catch(unlessGone);
}
