// What may go wrong on purpose. A Refusal is for a person: a reason that programs can rely on and a sentence
// that people can read. Anything else that is thrown is a bug: it gets a reference and is logged once, at the edge.

export type RefusalKind =
  | 'invalid' // the input is wrong: say where
  | 'unauthorised' // who are you?
  | 'forbidden' // not yours to do
  | 'unknown' // not there, or not yours to see
  | 'conflict' // the state forbids it
  | 'stale' // somebody was quicker (If-Match)
  | 'large' // more than we take
  | 'range' // a part that is not there
  | 'media' // a kind of content that we do not take
  | 'refused' // understood, and still no (reused key, infected file)
  | 'busy' // too much right now: come back
  | 'away'; // a store does not answer: come back

export interface Detail {
  path?: string;
  message: string;
  [fact: string]: unknown;
}

export class Refusal extends Error {
  override name = 'Refusal';
  readonly kind: RefusalKind;
  /** Dotted, stable: `ticket.not_found`. On the wire it becomes `E_TICKET_NOT_FOUND`. */
  readonly reason: string;
  readonly details: Detail[];
  /** Seconds after which another try makes sense (busy, away). */
  readonly retryAfter: number | undefined;

  constructor(
    kind: RefusalKind,
    reason: string,
    sentence: string,
    extra: { details?: Detail[]; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(sentence, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.kind = kind;
    this.reason = reason;
    this.details = extra.details ?? [];
    this.retryAfter = extra.retryAfter;
  }
}

type Extra = ConstructorParameters<typeof Refusal>[3];

export const invalid = (reason: string, sentence: string, details: Detail[] = []): Refusal =>
  new Refusal('invalid', reason, sentence, { details });
export const unknown = (
  thing: string,
  sentence = `There is no such ${thing.replaceAll('_', ' ')}.`,
): Refusal => new Refusal('unknown', `${thing}.not_found`, sentence);
export const forbidden = (reason: string, sentence: string): Refusal =>
  new Refusal('forbidden', reason, sentence);
export const conflict = (reason: string, sentence: string, extra?: Extra): Refusal =>
  new Refusal('conflict', reason, sentence, extra);
export const unauthorised = (reason: string, sentence: string): Refusal =>
  new Refusal('unauthorised', reason, sentence);
export const busy = (reason: string, sentence: string, retryAfter: number): Refusal =>
  new Refusal('busy', reason, sentence, { retryAfter });

/** It is not there, or not any more. */
export const isUnknown = (error: unknown): boolean => error instanceof Refusal && error.kind === 'unknown';
/** For a `catch`: what is gone by now is nothing. */
export const unlessGone = (error: unknown): null => {
  if (isUnknown(error)) return null;
  throw error;
};
