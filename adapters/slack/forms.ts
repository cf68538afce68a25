// The form for a new ticket, and the small ones (resolve, reply, note): opened while Slack lets them be, redrawn as desk
// and category are chosen, checked before they close, and filed once.
import type { View } from '@slack/types';
import { z } from 'zod';
import { inWords } from '../../src/complaints.ts';
import { type Desk, isRequired, PRIORITIES } from '../../src/desks/desk.ts';
import { desksOf, findDesk } from '../../src/desks/desks.ts';
import type { Refusal } from '../../src/errors.ts';
import { atLeast } from '../../src/people/access.ts';
import { type CreateInput, createInput } from '../../src/tickets/tickets.ts';
import type { Call } from './call.ts';
import { type Body, record } from './door.ts';
import { clean } from './text.ts';
import { type FormField, type Origin, ticketForm } from './views.ts';
import { whoIs } from './who.ts';

const originShape = z.object({
  channel: z.string().optional(),
  thread: z.string().optional(),
  message: z.string().optional(),
  permalink: z.string().optional(),
  ticket: z.string().optional(),
  desk: z.string().optional(),
});
export type FormOrigin = z.output<typeof originShape>;

export function originIn(metadata: unknown): FormOrigin {
  try {
    return originShape.parse(JSON.parse(String(metadata || '{}')));
  } catch {
    return {};
  }
}

function fieldsOf(desk: Desk, category: string | null, isAgent: boolean): FormField[] {
  return desk.customFields
    .filter((field) => isAgent || !field.internal)
    .filter((field) => field.type !== 'choices' || field.options.length > 0)
    .map((field) => ({
      name: field.name,
      label: field.label,
      type: field.type,
      options: field.options,
      required: isRequired(field, category),
    }))
    .sort((a, b) => Number(b.required) - Number(a.required));
}

export interface Prefilled {
  title?: string;
  description?: string;
  origin?: Origin;
}

export async function newTicketForm(call: Call, given: Prefilled, chosen: Values = {}): Promise<View> {
  const desks = (await desksOf(call.room.company)).filter((desk) => desk.active);
  const desk = desks.find((one) => one.id === chosen.desk) ?? call.where.desk;
  const category = chosen.category && desk.categories.includes(chosen.category) ? chosen.category : null;
  const isAgent = atLeast(call.ctx.actor.role, 'agent');
  return ticketForm({
    desks: desks.map(({ id, name, key }) => ({ id, name: `${name} (${key})` })),
    desk: desk.id,
    categories: desk.categories,
    category,
    priorities: [...PRIORITIES],
    priority: chosen.priority ?? null,
    fields: fieldsOf(desk, category, isAgent),
    isAgent,
    title: chosen.title ?? given.title ?? '',
    description: chosen.description ?? given.description ?? '',
    origin: given.origin ?? {},
  });
}

interface Values {
  desk?: string | undefined;
  title?: string | undefined;
  description?: string | undefined;
  category?: string | undefined;
  priority?: string | undefined;
  requester?: string | undefined;
  isPrivate?: boolean;
  files?: string[];
  customFields?: Record<string, unknown>;
}

/** One field's value, whatever kind of element it came from. */
function chosenIn(state: Body): unknown {
  const option = record(state.selected_option);
  if (Array.isArray(state.selected_options))
    return (state.selected_options as Body[]).map((one) => String(one.value));
  if (Array.isArray(state.files)) return (state.files as Body[]).map((one) => String(one.id));
  return option.value ?? state.selected_user ?? state.selected_date ?? state.value ?? undefined;
}

export function valuesIn(view: Body, desk: Desk): Values {
  const blocks = record(record(view.state).values);
  const read = (block: string): unknown => {
    const [state] = Object.values(record(blocks[block]));
    return state === undefined ? undefined : chosenIn(record(state));
  };
  const word = (block: string): string | undefined => {
    const value = read(block);
    return typeof value === 'string' && value.trim() ? clean(value) : undefined;
  };
  const customFields: Record<string, unknown> = {};
  for (const field of desk.customFields) {
    const value = read(`custom_fields.${field.name}`);
    if (value === undefined || value === null || value === '') continue;
    if (field.type === 'number') customFields[field.name] = Number(value);
    else if (field.type === 'boolean') customFields[field.name] = Array.isArray(value) && value.length > 0;
    else if (field.type !== 'choices' || (Array.isArray(value) && value.length))
      customFields[field.name] = value;
  }
  const files = read('files');
  return {
    desk: word('desk'),
    title: word('title'),
    description: word('description'),
    category: word('category'),
    priority: word('priority'),
    requester: word('requester'),
    isPrivate: Array.isArray(read('private')) && (read('private') as unknown[]).length > 0,
    files: Array.isArray(files) ? files.map(String) : [],
    customFields,
  };
}

export async function deskIn(call: Call, view: Body): Promise<Desk> {
  const origin = originIn(view.private_metadata);
  const state = record(record(record(view.state).values).desk);
  const [chosen] = Object.values(state).map((one) => chosenIn(record(one)));
  const ref = typeof chosen === 'string' ? chosen : origin.desk;
  const desks = await desksOf(call.room.company);
  return desks.find((desk) => desk.id === ref) ?? findDesk(call.room.company);
}

/** Desk or category were chosen: the same form with the fields that follow from it. */
export async function redrawnForm(call: Call, view: Body): Promise<View> {
  const desk = await deskIn(call, view);
  const chosen = valuesIn(view, desk);
  const origin = originIn(view.private_metadata);
  return newTicketForm(call, { origin }, { ...chosen, desk: desk.id });
}

export interface Submission {
  input: CreateInput;
  origin: FormOrigin;
  files: string[];
}

/** What the form says, as an input; or what is wrong with it, by block. */
export async function submissionIn(
  call: Call,
  view: Body,
): Promise<{ ok: Submission } | { errors: Record<string, string> }> {
  const desk = await deskIn(call, view);
  const values = valuesIn(view, desk);
  const requester = values.requester ? (await whoIs(call.host, call.room, values.requester)).id : undefined;
  const errors: Record<string, string> = {};
  for (const field of fieldsOf(desk, values.category ?? null, atLeast(call.ctx.actor.role, 'agent'))) {
    const value = values.customFields?.[field.name];
    if (field.required && field.type !== 'boolean' && value === undefined)
      errors[`custom_fields.${field.name}`] = 'This is needed here.';
    if (field.type === 'number' && value !== undefined && !Number.isFinite(value))
      errors[`custom_fields.${field.name}`] = 'This must be a number.';
    if (field.type === 'boolean' && value === undefined && values.customFields)
      values.customFields[field.name] = false;
  }
  const given = {
    title: values.title,
    description: values.description ?? '',
    desk: desk.id,
    ...(values.priority ? { priority: values.priority } : {}),
    ...(values.category ? { category: values.category } : {}),
    ...(requester ? { requester } : {}),
    customFields: values.customFields ?? {},
    private: values.isPrivate ?? false,
  };
  const parsed = createInput.safeParse(given, { error: inWords });
  if (!parsed.success)
    for (const issue of parsed.error.issues) errors[issue.path.join('.')] = sentence(issue.message);
  if (!parsed.success || Object.keys(errors).length) return { errors: shown(view, errors) };
  return { ok: { input: parsed.data, origin: originIn(view.private_metadata), files: values.files ?? [] } };
}

const sentence = (words: string): string =>
  `${words.charAt(0).toUpperCase()}${words.slice(1)}.`.replace(/\.\.$/, '.');

/** Slack refuses an error for a block that the view does not have: such ones are told at the title. */
export function shown(view: Body, errors: Record<string, string>): Record<string, string> {
  const ids = new Set(
    (Array.isArray(view.blocks) ? (view.blocks as Body[]) : []).map((block) => String(block.block_id)),
  );
  const out: Record<string, string> = {};
  for (const [block, words] of Object.entries(errors)) {
    const at = ids.has(block) ? block : ids.has('title') ? 'title' : 'text';
    out[at] = out[at] ? `${out[at]} ${words}` : words;
  }
  return out;
}

/** A refusal as errors at the fields that it names. */
export function refusedFields(view: Body, refusal: Refusal): Record<string, string> {
  const errors: Record<string, string> = {};
  for (const { path, message } of refusal.details) if (path) errors[path] = sentence(message);
  if (!Object.keys(errors).length) errors.title = refusal.message;
  return shown(view, errors);
}
