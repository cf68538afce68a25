// A place is where a chat speaks: a workspace (Slack) or guild (Discord), and its channels. A workspace belongs to one
// company; a channel to one desk. What another workspace says never reaches this company. Pure.
import { z } from 'zod';

export const SURFACES = ['slack', 'discord'] as const;
export type Surface = (typeof SURFACES)[number];

export type WorkspaceState =
  | 'active'
  /** Installed, but nobody has said yet whose it is. */
  | 'unbound'
  /** Its token was refused: somebody must install again. */
  | 'needs_attention'
  | 'gone';

export interface Workspace {
  /** `slack:T024BE7LD` */
  id: string;
  surface: Surface;
  external: string;
  name: string;
  company: string | null;
  /** Where tickets go from channels that are not bound. */
  desk: string | null;
  state: WorkspaceState;
  reason: string | null;
  createdAt: Date;
  updatedAt: Date;
}

/** `triage`: agents work here, every new ticket gets a card. `requests`: people ask here. */
export const CHANNEL_ROLES = ['triage', 'requests'] as const;
/** How a message in a request channel becomes a ticket: only when told to, by itself, or after a question. */
export const FILING_MODES = ['manual', 'auto', 'nudge'] as const;

export const channelInput = z.strictObject({
  desk: z.string().max(40).optional(),
  role: z.enum(CHANNEL_ROLES).default('requests'),
  mode: z.enum(FILING_MODES).default('manual'),
  /** A message that begins with one of these is never filed. */
  escapes: z.array(z.string().min(1).max(40)).max(20).default([':megaphone:', '📣']),
  silent: z.boolean().default(false).meta({
    description: 'No notices in threads but what people say: who asked hears the rest personally.',
  }),
  membersAreAgents: z.boolean().default(false).meta({
    description:
      'Of a private triage channel: whoever belongs to it and has an account here is an agent while they do. Guests and other workspaces never. Only administrators say so.',
  }),
  /** Emoji and what they do; `who` limits it to agents. */
  emojis: z
    .record(
      z.string().max(60),
      z.strictObject({
        deed: z.enum(['file', 'file_private', 'claim', 'resolve', 'urgent']),
        who: z.enum(['agents', 'all']),
      }),
    )
    .optional(),
});
export type ChannelInput = z.output<typeof channelInput>;
export type EmojiDeed = NonNullable<ChannelInput['emojis']>[string];

export interface Channel extends Omit<ChannelInput, 'desk'> {
  /** `slack:T024BE7LD:C1` */
  id: string;
  workspace: string;
  external: string;
  company: string;
  desk: string;
  createdAt: Date;
}

export const DEFAULT_EMOJIS: Record<string, EmojiDeed> = {
  ticket: { deed: 'file', who: 'all' },
  admission_tickets: { deed: 'file', who: 'all' },
  pushpin: { deed: 'file', who: 'all' },
  shushing_face: { deed: 'file_private', who: 'all' },
  eyes: { deed: 'claim', who: 'agents' },
  white_check_mark: { deed: 'resolve', who: 'agents' },
  rotating_light: { deed: 'urgent', who: 'agents' },
};

const SMALL_TALK =
  /^(hi|hey|hello|good (morning|afternoon|evening)|thanks?( you)?( so much)?|thx|ty|cheers|ok(ay)?|great|perfect|awesome|nice|got it|will do|done|yes|no|yep|nope|lol|bye|see you|welcome|congrat\w*|\+1|:[\w+-]+:)([\s,!.]+(all|everyone|everybody|team|folks|there|guys|a lot|so much|again|:[\w+-]+:))*[\s!.?]*$/iu;

/** Should a message of a request channel become a ticket by itself? The reason is for "why not?". */
export function wouldFile(
  text: string,
  channel: Pick<ChannelInput, 'escapes' | 'mode'>,
  from: { bot: boolean; agent: boolean },
): { file: boolean; why: string } {
  const words = text.trim();
  const mark = channel.escapes.find((one) => words.startsWith(one));
  if (channel.mode === 'manual') return { file: false, why: 'this channel files only what it is told to' };
  if (from.bot) return { file: false, why: 'it was written by an app' };
  if (from.agent) return { file: false, why: 'it was written by an agent' };
  if (mark) return { file: false, why: `it begins with ${mark}` };
  if (words.length < 120 && SMALL_TALK.test(words))
    return { file: false, why: 'it reads like a greeting or thanks' };
  if (words.replace(/<[^>]*>|:[\w+-]+:|\W/gu, '').length < 3)
    return { file: false, why: 'there is too little text in it' };
  return { file: true, why: 'it reads like a request' };
}
