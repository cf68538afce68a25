// What the document shows of refusals: for each status those that come most, with the reasons that the verbs give.
import { errorCode } from './problem.ts';

type Json = Record<string, unknown>;

interface Refused {
  reason: string;
  detail: string;
  details?: Json[];
}
/** What is refused most, by status: the reasons are those that the verbs give. */
const REFUSED: Record<number, Refused[]> = {
  400: [
    {
      reason: 'validation',
      detail: 'title: is required',
      details: [{ path: 'title', message: 'is required' }],
    },
    {
      reason: 'list.cursor',
      detail: 'That cursor does not belong to this list. Begin again without it.',
      details: [{ path: 'cursor', message: 'is not a cursor of this list' }],
    },
  ],
  401: [
    {
      reason: 'auth.missing',
      detail: 'Sign in first: send Authorization: Bearer <access token>, or X-API-Key.',
    },
    { reason: 'auth.token', detail: 'This access token is not valid (any more). Sign in again.' },
    { reason: 'auth.key', detail: 'This API key is not valid (any more).' },
  ],
  403: [
    { reason: 'access', detail: 'You may not import tickets.' },
    {
      reason: 'ticket.edit',
      detail: 'Somebody else works on this ticket: leads and managers may change it.',
    },
  ],
  404: [
    { reason: 'ticket.not_found', detail: 'There is no such ticket.' },
    { reason: 'user.not_found', detail: 'There is no such user.' },
    { reason: 'attachment.not_found', detail: 'There is no such attachment.' },
  ],
  409: [
    {
      reason: 'ticket.transition',
      detail: 'A ticket that is open cannot become closed. From open it may become in_progress, resolved.',
      details: [
        { path: 'status', message: 'in_progress' },
        { path: 'status', message: 'resolved' },
      ],
    },
    { reason: 'ticket.claimed', detail: 'Mei Tanaka claimed TKT-000042 a moment ago.' },
    { reason: 'idempotency.in_flight', detail: 'The first request with this key is still being worked on.' },
  ],
  412: [
    { reason: 'ticket.changed', detail: 'Somebody changed this ticket since you read it. Read it again.' },
  ],
  413: [
    {
      reason: 'attachment.too_large',
      detail: 'A file may have at most 52428800 bytes.',
      details: [{ path: 'file', message: 'is too large' }],
    },
  ],
  415: [{ reason: 'request.media_type', detail: 'Send the body as application/json.' }],
  416: [{ reason: 'attachment.range', detail: 'The file has 1024 bytes: no such part.' }],
  422: [
    {
      reason: 'idempotency.key_reused',
      detail: 'This idempotency key was used before, with another request.',
    },
    {
      reason: 'attachment.infected',
      detail: '"invoice.pdf" was refused: the scanner found Eicar-Test-Signature.',
    },
  ],
  429: [{ reason: 'auth.throttled', detail: 'Too many failed attempts. Wait a moment, then try again.' }],
  500: [
    {
      reason: 'internal',
      detail:
        'Something went wrong on our side. Quote the reference b1a2c3d4-0001-4000-8000-000000000042 when you tell us.',
    },
  ],
  503: [
    { reason: 'store.away', detail: 'The database does not answer just now. Try again in a moment.' },
    {
      reason: 'server.crowded',
      detail: 'Too much is asked at once just now: ask again in a moment.',
    },
    { reason: 'files.away', detail: 'The file store does not answer just now. Try again in a moment.' },
  ],
};

/** As a media type of the document has them: by name, each a whole answer. */
export function problemExamples(
  status: number,
  title: string,
): Record<string, { summary: string; value: Json }> {
  return Object.fromEntries(
    (REFUSED[status] ?? []).map(({ reason, detail, details = [] }) => [
      reason.replaceAll(/[^a-z0-9]+/g, '_'),
      {
        summary: detail,
        value: {
          ...{ type: 'about:blank', title, status, detail, error_code: errorCode(reason), details },
          request_id: 'b1a2c3d4-0001-4000-8000-000000000042',
        },
      },
    ]),
  );
}
