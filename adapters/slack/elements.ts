// The bricks of Block Kit, each within Slack's limits whatever text it is given. Everything that is drawn is made of
// these, so that no view is refused for a character too many.
import type {
  ActionsBlock,
  Button,
  ContextBlock,
  HeaderBlock,
  InputBlock,
  KnownBlock,
  PlainTextElement,
  PlainTextOption,
  SectionBlock,
  StaticSelect,
} from '@slack/types';
import { clip, clipPlain, escaped, link } from './text.ts';

const MOST_OPTIONS = 100;

export const plain = (text: string, most: number): PlainTextElement => ({
  type: 'plain_text',
  text: clipPlain(text, most) || '-',
  emoji: true,
});

/** mrkdwn that is ready: escape what users wrote before it comes here. */
export const section = (mrkdwn: string, more: Partial<SectionBlock> = {}): SectionBlock => ({
  type: 'section',
  text: { type: 'mrkdwn', text: clip(mrkdwn, 3000) || '-' },
  ...more,
});

export const fields = (pairs: readonly (readonly [label: string, mrkdwn: string])[]): SectionBlock => ({
  type: 'section',
  fields: pairs
    .slice(0, 10)
    .map(([label, value]) => ({ type: 'mrkdwn', text: clip(`*${escaped(label)}*\n${value || '-'}`, 2000) })),
});

export const context = (...mrkdwn: string[]): ContextBlock => ({
  type: 'context',
  elements: mrkdwn.slice(0, 10).map((text) => ({ type: 'mrkdwn', text: clip(text, 2000) || '-' })),
});

export const header = (text: string): HeaderBlock => ({ type: 'header', text: plain(text, 150) });
export const divider: KnownBlock = { type: 'divider' };

export const button = (
  action: string,
  label: string,
  value: string,
  more: Pick<Partial<Button>, 'style' | 'url' | 'confirm'> = {},
): Button => ({ type: 'button', action_id: action, text: plain(label, 75), value, ...more });

export const option = (value: string, label: string): PlainTextOption => ({
  text: plain(label, 75),
  value: value.slice(0, 150),
});

/** A select needs at least one option and takes a hundred; an initial option must be one of them. */
export function select(
  action: string,
  placeholder: string,
  given: readonly PlainTextOption[],
  chosen?: string | null,
): StaticSelect {
  const options = given.slice(0, MOST_OPTIONS);
  const initial = options.find((one) => one.value === chosen);
  return {
    type: 'static_select',
    action_id: action,
    placeholder: plain(placeholder, 150),
    options: options.length ? options : [option('-', '-')],
    ...(initial ? { initial_option: initial } : {}),
  };
}

export const actions = (block: string, elements: ActionsBlock['elements']): ActionsBlock => ({
  type: 'actions',
  block_id: block.slice(0, 255),
  elements: elements.slice(0, 25),
});

export const input = (
  block: string,
  label: string,
  element: InputBlock['element'],
  more: { optional?: boolean; hint?: string; dispatch?: boolean } = {},
): InputBlock => ({
  type: 'input',
  block_id: block.slice(0, 255),
  label: plain(label, 2000),
  element,
  optional: more.optional ?? false,
  ...(more.hint ? { hint: plain(more.hint, 2000) } : {}),
  ...(more.dispatch ? { dispatch_action: true } : {}),
});

/** A time that each reader sees in their own zone. */
export function moment(at: Date, form = '{date_short_pretty} {time}'): string {
  const fallback = `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return `<!date^${Math.floor(at.getTime() / 1000)}^${form}|${fallback}>`;
}

/** The key of a ticket as a link to its page. */
export const keyed = (key: string, url: string): string => link(url, key);

/** At most so many blocks; says what was left out. */
export function within<Block extends KnownBlock>(
  blocks: readonly Block[],
  most: number,
  left = 'More than Slack shows here.',
): (Block | ContextBlock)[] {
  return blocks.length <= most ? [...blocks] : [...blocks.slice(0, most - 1), context(left)];
}
