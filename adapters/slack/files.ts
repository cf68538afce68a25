// Files, both ways: what people share becomes attachments through the attachment rules, and attachments go along with
// what is said. Slack answers a wrong token with a sign-in page instead of an error: that is never taken for the file.
import { Readable } from 'node:stream';
import { type Ctx, systemCtx } from '../../src/context.ts';
import { Refusal } from '../../src/errors.ts';
import { add, attachmentsOf, openAttachment } from '../../src/files/attachments.ts';
import type { Audience } from '../../src/history/entry.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import type { Call } from './call.ts';
import type { Host, Room } from './host.ts';
import type { SlackFile } from './said.ts';

const MOST_FILES = 10;
const DOWNLOAD_WITHIN_MS = 60_000;

/** The token only travels to Slack itself. */
function mayAsk(host: Host, url: URL): boolean {
  if (host.config.SLACK_API_URL) return url.origin === new URL(host.config.SLACK_API_URL).origin;
  return url.protocol === 'https:' && (url.hostname === 'slack.com' || url.hostname.endsWith('.slack.com'));
}

async function download(host: Host, room: Room, file: SlackFile): Promise<Readable> {
  const address = new URL(file.url_private_download ?? file.url_private ?? '');
  if (!mayAsk(host, address)) throw new Refusal('refused', 'slack.file', 'The file is not kept by Slack.');
  const answer = await fetch(address, {
    headers: { authorization: `Bearer ${room.token}` },
    redirect: 'manual',
    signal: AbortSignal.timeout(DOWNLOAD_WITHIN_MS),
  });
  const type = answer.headers.get('content-type') ?? '';
  const isSignIn = type.startsWith('text/html') && !String(file.mimetype).startsWith('text/html');
  if (!answer.ok || !answer.body || isSignIn) {
    await answer.body?.cancel();
    throw new Refusal('refused', 'slack.file', `Slack did not hand over “${file.name ?? 'the file'}”.`);
  }
  return Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]);
}

const from = (id: string): string => `Shared in Slack as ${id}`;
const asDesk = (ctx: Ctx): Ctx => ({ ...ctx, actor: { ...ctx.actor, kind: 'system' } });

/** Attaches Slack files to a ticket; what the rules refuse is said to the log, and the rest goes on. */
export async function attachFiles(
  { host, room, ctx }: Pick<Call, 'host' | 'room' | 'ctx'>,
  ticket: Ticket,
  files: readonly SlackFile[],
  audience: Audience = 'public',
): Promise<string[]> {
  const attached: string[] = [];
  // Done again after a crash: what came from Slack carries its id there, and is not taken twice.
  const there = ctx.redo && files.length ? await attachmentsOf(asDesk(ctx), ticket._id) : [];
  for (const file of files.slice(0, MOST_FILES)) {
    const { id } = file;
    const before = there.find((one) => one.description === from(id));
    if (before) {
      attached.push(before.id);
      continue;
    }
    try {
      // Of files from another workspace Slack tells only the id.
      const isTold = file.url_private && file.file_access !== 'check_file_info';
      const found = isTold ? file : ((await room.client.files.info({ file: id })).file as SlackFile);
      const bytes = await download(host, room, found);
      const kept = await add({ ...asDesk(ctx), cause: `slack:file:${id}` }, ticket._id, {
        name: found.name ?? 'file',
        bytes,
        audience,
        description: from(id),
        withWords: true,
      });
      attached.push(kept.id);
    } catch (error) {
      if (!(error instanceof Refusal) || error.kind === 'away') throw error;
      ctx.log.info({ ticket: ticket.key, reason: error.reason }, 'a file from slack was not attached');
    }
  }
  return attached;
}

/** What goes along: opened before anything is said, so that words wait for a file that is still being scanned. */
export type Going = Awaited<ReturnType<typeof openAttachment>>;

export async function opened(host: Host, company: string, ids: readonly string[]): Promise<Going[]> {
  const ctx = systemCtx({ log: host.log, now: host.now }, company, 'slack');
  const going = await Promise.all(
    ids.slice(0, MOST_FILES).map((id) =>
      openAttachment(ctx, id).catch((error) => {
        if (!(error instanceof Refusal)) throw error;
        // Removed since, or refused by the scanner: there is nothing to carry.
        if (error.kind === 'unknown') return [];
        throw new Refusal('busy', error.reason, error.message);
      }),
    ),
  );
  return going.flat();
}

async function bytesOf(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Uploads them into a thread. */
export async function shareFiles(
  room: Room,
  place: { channel: string; thread?: string | undefined },
  going: readonly Going[],
): Promise<void> {
  const files: { id: string; title: string }[] = [];
  for (const { attachment, read } of going) {
    const bytes = await bytesOf(await read());
    const { upload_url: url, file_id: file } = await room.client.files.getUploadURLExternal({
      filename: attachment.name,
      length: bytes.length,
    });
    if (!url || !file) throw new Error('slack gave no place for a file');
    const answer = await fetch(url, {
      method: 'POST',
      body: new Uint8Array(bytes),
      signal: AbortSignal.timeout(DOWNLOAD_WITHIN_MS),
    });
    if (!answer.ok) throw new Error(`slack took no file: ${answer.status}`);
    files.push({ id: file, title: attachment.name });
  }
  const [first, ...rest] = files;
  if (!first) return;
  await room.client.files.completeUploadExternal({
    files: [first, ...rest],
    channel_id: place.channel,
    ...(place.thread ? { thread_ts: place.thread } : {}),
  } as Parameters<typeof room.client.files.completeUploadExternal>[0]);
}
