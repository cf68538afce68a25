// Files that the caller uploads by itself: a place is reserved, the bytes come to a signed address, then they are
// confirmed, looked at and attached.
import { type Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { conflict, unknown } from '../errors.ts';
import { newId } from '../id.ts';
import { type Attachment, attach, mayAdd, shown, verdict } from './attachments.ts';
import { easing } from './easing.ts';
import { inspection, tooLarge } from './inspection.ts';
import { attachmentCollection } from './model.ts';
import { bytesAt, mostBytes } from './storage.ts';
import { kindByName, plainName } from './types.ts';

export const reserveInput = z.strictObject({
  filename: z.string().min(1).max(1_000),
  contentType: z.string().max(200),
  size: z.int().min(1),
  ticketId: z.string().max(64),
});

const UPLOAD_SECONDS = 900;

/** A place for a file that the caller uploads by itself; `sign` makes the address where the storage has none. */
export async function reserve(
  ctx: Ctx,
  input: z.output<typeof reserveInput>,
  sign: (id: string, expires: number) => string,
) {
  const ticket = await mayAdd(ctx, input.ticketId, 'public');
  if (input.size > mostBytes()) throw tooLarge(mostBytes());
  const name = plainName(input.filename);
  const { type } = kindByName(name);
  const at = ctx.now();
  const _id = newId(at);
  await attachmentCollection().insertOne({
    _id,
    company: ctx.actor.company,
    ticket: ticket._id,
    name,
    size: input.size,
    type,
    sha256: null,
    description: null,
    audience: 'public',
    state: 'awaiting',
    scan: 'none',
    finding: null,
    storageKey: _id,
    uploadedBy: { kind: ctx.actor.kind, id: ctx.actor.id, name: ctx.actor.name },
    createdAt: at,
  });
  const direct = await bytesAt().presign(_id, { type, size: input.size, seconds: UPLOAD_SECONDS });
  const expires = Math.floor(at.getTime() / 1_000) + UPLOAD_SECONDS;
  return {
    uploadUrl: direct?.url ?? sign(_id, expires),
    attachmentId: _id,
    expiresIn: UPLOAD_SECONDS,
    headers: direct?.headers ?? { 'Content-Type': type },
  };
}

/** The bytes of an awaited file, sent to the address that we signed. */
export async function receive(id: string, bytes: Readable): Promise<void> {
  const stored = await attachmentCollection().findOne({ _id: id, state: 'awaiting' });
  if (!stored) throw unknown('upload');
  let size = 0;
  const ease = easing();
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      ease(chunk.length);
      done(size > stored.size ? tooLarge(stored.size) : null, chunk);
    },
  });
  bytes.once('error', (error) => meter.destroy(error));
  bytes.once('close', () => {
    if (!bytes.readableEnded) meter.destroy(new Error('the upload was cut off'));
  });
  await bytesAt().put(stored.storageKey, bytes.pipe(meter));
}

/** An awaited file is there: look at it, then attach it. */
export async function confirm(ctx: Ctx, id: string): Promise<Attachment> {
  const stored = await attachmentCollection().findOne({
    _id: id,
    company: ctx.actor.company,
    'uploadedBy.id': ctx.actor.id,
  });
  if (!stored || (stored.state !== 'awaiting' && stored.state !== 'attached')) throw unknown('attachment');
  if (stored.state === 'attached') return shown(stored);
  await mayAdd(ctx, stored.ticket, 'public');
  const size = await bytesAt().size(stored.storageKey);
  if (size === null) throw conflict('attachment.not_uploaded', 'The file has not been uploaded yet.');
  if (size > mostBytes()) throw tooLarge(mostBytes());
  if (size !== stored.size)
    throw conflict(
      'attachment.size',
      `${stored.size} bytes were announced and ${size} have come: send the file to its address again.`,
    );
  const look = inspection(stored.name, mostBytes());
  const bytes = await bytesAt().get(stored.storageKey);
  await pipeline(bytes, look.through, new Writable({ write: (_chunk, _encoding, done) => done() }));
  const known = { ...stored, ...look.result(), ...(await verdict(ctx, stored.storageKey)) };
  await attachmentCollection().updateOne(
    { _id: id },
    {
      $set: {
        size: known.size,
        type: known.type,
        sha256: known.sha256,
        scan: known.scan,
        finding: known.finding,
        state: 'loose',
      },
    },
  );
  return attach({ ...ctx, cause: ctx.cause ?? `confirm:${id}`, redo: true }, known);
}
