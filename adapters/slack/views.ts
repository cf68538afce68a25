// The modals. A form's fields follow the desk and the category that are chosen in it; what it was
// opened from travels in its private metadata, which Slack signs with everything else.
import type { InputBlock, KnownBlock, View } from '@slack/types';
import { titled } from './blocks.ts';
import { context, input, option, plain, section, select, within } from './elements.ts';
import { clipPlain, escaped } from './text.ts';

const MOST_FIELDS = 25;
const MOST_FILES = 10;

export interface FormField {
  name: string;
  label: string;
  type: 'text' | 'number' | 'boolean' | 'date' | 'choice' | 'choices';
  options: string[];
  required: boolean;
}

/** Where a form was opened; travels through Slack and back. */
export interface Origin {
  channel?: string;
  thread?: string;
  /** The message that the ticket is made from. */
  message?: string;
  permalink?: string;
  ticket?: string;
}

export interface FormFacts {
  desks: { id: string; name: string }[];
  desk: string;
  categories: string[];
  category: string | null;
  priorities: string[];
  priority: string | null;
  fields: FormField[];
  isAgent: boolean;
  title: string;
  description: string;
  origin: Origin;
}

const text = (max: number, initial = '', multiline = false) =>
  ({
    type: 'plain_text_input',
    action_id: 'value',
    multiline,
    max_length: max,
    ...(initial ? { initial_value: initial.slice(0, max) } : {}),
  }) as const;

function fieldInput(field: FormField): KnownBlock {
  const choices = field.options.slice(0, 100).map((one) => option(one, one));
  const element = ((): InputBlock['element'] => {
    switch (field.type) {
      case 'number':
        return { type: 'number_input', action_id: 'value', is_decimal_allowed: true };
      case 'boolean':
        return {
          type: 'checkboxes',
          action_id: 'value',
          options: [option('true', 'Yes')],
        };
      case 'date':
        return { type: 'datepicker', action_id: 'value' };
      case 'choice':
        return select('value', 'Choose', choices);
      case 'choices':
        return {
          type: 'multi_static_select',
          action_id: 'value',
          placeholder: plain('Choose', 150),
          options: choices,
        };
      case 'text':
        return text(3000);
      default:
        return field.type satisfies never;
    }
  })();
  return input(`custom_fields.${field.name}`, field.label, element, {
    // A box that is not ticked is an answer: a boolean is never required of Slack.
    optional: !field.required || field.type === 'boolean',
  });
}

export function ticketForm(facts: FormFacts): View {
  const blocks: KnownBlock[] = [];
  if (facts.desks.length > 1)
    blocks.push(
      input(
        'desk',
        'Desk',
        select(
          'form_desk',
          'Desk',
          facts.desks.map(({ id, name }) => option(id, name)),
          facts.desk,
        ),
        { dispatch: true },
      ),
    );
  blocks.push(
    input('title', 'What is it about?', text(300, clipPlain(facts.title, 300))),
    input('description', 'Tell us more', text(3000, facts.description, true), { optional: true }),
  );
  if (facts.categories.length)
    blocks.push(
      input(
        'category',
        'Category',
        select(
          'form_category',
          'Choose one, or leave it to us',
          facts.categories.map((name) => option(name, titled(name))),
          facts.category,
        ),
        { optional: true, dispatch: true },
      ),
    );
  blocks.push(
    input(
      'priority',
      'Priority',
      select(
        'value',
        'As usual',
        facts.priorities.map((name) => option(name, titled(name))),
        facts.priority,
      ),
      { optional: true },
    ),
    ...facts.fields.slice(0, MOST_FIELDS).map(fieldInput),
  );
  if (facts.fields.length > MOST_FIELDS)
    blocks.push(context(`${facts.fields.length - MOST_FIELDS} more fields are on the ticket's page.`));
  if (facts.isAgent)
    blocks.push(
      input(
        'requester',
        'On behalf of',
        { type: 'users_select', action_id: 'value', placeholder: plain('Somebody else', 150) },
        { optional: true },
      ),
    );
  blocks.push(
    input(
      'files',
      'Files',
      { type: 'file_input', action_id: 'value', max_files: MOST_FILES },
      { optional: true },
    ),
    input(
      'private',
      'Who may see it',
      {
        type: 'checkboxes',
        action_id: 'value',
        options: [option('private', 'Private: only me and the agents')],
      },
      { optional: true },
    ),
  );
  if (facts.origin.permalink) blocks.push(context(`From <${escaped(facts.origin.permalink)}|this message>`));
  return {
    type: 'modal',
    callback_id: 'ticket_form',
    title: plain('New ticket', 24),
    submit: plain('File it', 24),
    close: plain('Cancel', 24),
    private_metadata: JSON.stringify({ ...facts.origin, desk: facts.desk }).slice(0, 3000),
    blocks: within(blocks, 100),
  };
}

const words = (callback: string, title: string, submit: string, label: string, origin: Origin): View => ({
  type: 'modal',
  callback_id: callback,
  title: plain(title, 24),
  submit: plain(submit, 24),
  close: plain('Cancel', 24),
  private_metadata: JSON.stringify(origin),
  blocks: [input('text', label, text(3000, '', true))],
});

export const resolveForm = (key: string, origin: Origin): View =>
  words(
    'ticket_resolve_form',
    `Resolve ${key}`,
    'Resolve',
    'What was the solution? The requester reads this.',
    origin,
  );
export const replyForm = (key: string, origin: Origin): View =>
  words(
    'ticket_reply_form',
    `Reply on ${key}`,
    'Send',
    'Your reply, which everybody on the ticket reads',
    origin,
  );
export const noteForm = (key: string, origin: Origin): View =>
  words('ticket_note_form', `Note on ${key}`, 'Keep', 'For agents only: the requester never sees it', origin);
export const reasonForm = (key: string, origin: Origin): View =>
  words(
    'ticket_refuse_form',
    `${key}: no request`,
    'Close it',
    'Why is it not a request? The requester reads this.',
    origin,
  );

/** A modal that only says something. */
export const messageView = (title: string, blocks: readonly KnownBlock[]): View => ({
  type: 'modal',
  callback_id: 'message',
  title: plain(title, 24),
  close: plain('Close', 24),
  blocks: within(blocks, 100),
});

export const waitingView = (title: string): View =>
  messageView(title, [section(':hourglass_flowing_sand: One moment…')]);
