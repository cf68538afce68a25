// Attachments over HTTP: streamed in, streamed out, always as a download.

import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Config } from '../../src/config.ts';
import type { Ctx } from '../../src/context.ts';
import { forbidden, invalid, Refusal } from '../../src/errors.ts';
import {
  type Attachment,
  addKept,
  attachmentsOf,
  openAttachment,
  remove,
} from '../../src/files/attachments.ts';
import { attachmentQuery, attachments } from '../../src/files/listing.ts';
import { confirm, receive, reserve, reserveInput } from '../../src/files/reserved.ts';
import { pageOf } from '../../src/lists.ts';
import { sameSecret, signFor } from '../../src/secrets.ts';
import { type Call, type Route, route } from './route.ts';

const byId = z.strictObject({ id: z.string().max(64) });
export const attachmentShape = z
  .object({
    id: z.string(),
    ticketId: z.string(),
    name: z.string(),
    filename: z.string(),
    size: z.int(),
    type: z.string(),
    sha256: z.string().nullable(),
    description: z.string().nullable(),
    isInternal: z.boolean(),
    scan: z.enum(['none', 'clean', 'pending', 'infected']),
    uploadedBy: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
    createdAt: z.date(),
    url: z.string(),
  })
  .meta({ id: 'Attachment' });

export function drawAttachment(one: Attachment): z.input<typeof attachmentShape> {
  return {
    id: one.id,
    ticketId: one.ticket,
    name: one.name,
    filename: one.name,
    size: one.size,
    type: one.type,
    sha256: one.sha256,
    description: one.description,
    isInternal: one.audience === 'internal',
    scan: one.scan,
    uploadedBy: one.uploadedBy,
    createdAt: one.createdAt,
    url: `/api/v1/attachments/${one.id}`,
  };
}

const uploadFields = z.strictObject({
  description: z.string().max(1_000).nullish(),
  isInternal: z.boolean().default(false).meta({ description: 'For agents only, as a note is.' }),
});

async function upload({
  ctx,
  params,
  body,
  kept,
}: Call<{ id: string }, unknown, z.output<typeof uploadFields>>): Promise<z.input<typeof attachmentShape>> {
  const [file, second] = kept;
  if (!file || second)
    throw invalid('attachment.missing', 'Send one file, in the field "file".', [
      { path: 'file', message: file ? 'is there more than once' : 'is required' },
    ]);
  const audience = body.isInternal ? 'internal' : 'public';
  return drawAttachment(
    await addKept(ctx, params.id, file, { description: body.description || null, audience }),
  );
}

async function download(ctx: Ctx, id: string, req: Request, res: Response): Promise<void> {
  const { attachment, read } = await openAttachment(ctx, id);
  const ranges = req.get('range') ? req.range(attachment.size, { combine: true }) : undefined;
  if (ranges === -1) {
    res.set('Content-Range', `bytes */${attachment.size}`);
    throw new Refusal('range', 'attachment.range', `The file has ${attachment.size} bytes: no such part.`);
  }
  const ascii = attachment.name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(attachment.name).replace(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  res.set({
    'Content-Type': attachment.type,
    'Content-Disposition': `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`,
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'private, no-store',
    ETag: `"${attachment.sha256 ?? attachment.id}"`,
  });
  const one = Array.isArray(ranges) && ranges.type === 'bytes' && ranges.length === 1 ? ranges[0] : undefined;
  if (one) res.status(206).set('Content-Range', `bytes ${one.start}-${one.end}/${attachment.size}`);
  res.set('Content-Length', String(one ? one.end - one.start + 1 : attachment.size));
  if (req.method === 'HEAD') {
    res.end();
    return;
  }
  await pipeline(await read(one), res);
}

const signature = (id: string, expires: number): string => signFor('upload', `${id}.${expires}`);

export function attachmentRoutes(config: Config): Route[] {
  const address = (id: string, expires: number) =>
    `${config.PUBLIC_URL}/api/v1/uploads/${id}?expires=${expires}&signature=${signature(id, expires)}`;
  return [
    route({
      method: 'get',
      path: '/api/v1/tickets/{id}/attachments',
      tag: 'Attachments',
      summary: 'Attachments of a ticket',
      deed: 'ticket.read',
      params: byId,
      answer: z.object({ items: z.array(attachmentShape), total: z.int() }),
      run: async ({ ctx, params }) => {
        const items = (await attachmentsOf(ctx, params.id)).map(drawAttachment);
        return { items, total: items.length };
      },
    }),
    route({
      method: 'post',
      path: '/api/v1/tickets/{id}/attachments',
      tag: 'Attachments',
      summary: 'Upload a file',
      deed: 'ticket.reply',
      status: 201,
      params: byId,
      consumes: 'multipart/form-data',
      form: { files: 'file', booleans: ['is_internal'] },
      body: uploadFields,
      answer: attachmentShape,
      run: upload,
    }),
    route({
      method: 'get',
      path: '/api/v1/attachments',
      tag: 'Attachments',
      summary: 'Attachments of all tickets, newest first',
      deed: 'ticket.note',
      query: attachmentQuery,
      answer: pageOf(attachmentShape),
      run: async ({ ctx, query }) => {
        const page = await attachments(ctx, query);
        return { ...page, items: page.items.map(drawAttachment) };
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/attachments/{id}',
      tag: 'Attachments',
      summary: 'Download; ranges are possible',
      deed: 'ticket.read',
      params: byId,
      produces: 'application/octet-stream',
      refuses: [416],
      run: ({ ctx, params, req, res }) => download(ctx, params.id, req, res),
    }),
    route({
      method: 'delete',
      path: '/api/v1/attachments/{id}',
      tag: 'Attachments',
      summary: 'Remove a file',
      deed: 'ticket.reply',
      params: byId,
      run: ({ ctx, params }) => remove(ctx, params.id),
    }),
    route({
      method: 'post',
      path: '/api/v1/attachments/presigned-url',
      tag: 'Attachments',
      summary: 'Reserve a place to which to upload',
      deed: 'ticket.reply',
      status: 201,
      body: reserveInput,
      secret: true,
      answer: z.object({
        uploadUrl: z.string(),
        attachmentId: z.string(),
        expiresIn: z.int(),
        headers: z.record(z.string(), z.string()),
      }),
      run: ({ ctx, body }) => reserve(ctx, body, address),
    }),
    route({
      method: 'post',
      path: '/api/v1/attachments',
      tag: 'Attachments',
      summary: 'Confirm an upload',
      deed: 'ticket.reply',
      status: 201,
      body: z.strictObject({ attachmentId: z.string().max(64) }),
      answer: attachmentShape,
      run: async ({ ctx, body }) => drawAttachment(await confirm(ctx, body.attachmentId)),
    }),
    route({
      method: 'put',
      path: '/api/v1/uploads/{id}',
      tag: 'Attachments',
      summary: 'Send the bytes of a reserved file',
      deed: 'anyone',
      refuses: [413],
      description:
        'The address is the one that was given with the reservation; its signature is the permission.',
      params: byId,
      query: z.strictObject({ expires: z.coerce.number().int(), signature: z.string().max(200) }),
      consumes: 'application/octet-stream',
      run: async ({ ctx, params, query, req }) => {
        const isGood =
          sameSecret(query.signature, signature(params.id, query.expires)) &&
          query.expires * 1_000 > ctx.now().getTime();
        if (!isGood) throw forbidden('upload.signature', 'This upload address is not valid (any more).');
        await receive(params.id, req);
      },
    }),
  ];
}
