// A desk: a queue of a company with its own words. Pure: what a desk is and how its words are read.
import { z } from 'zod';
import { invalid } from '../errors.ts';
import { PRESETS, type Preset, type Workflow } from '../tickets/workflow.ts';

export const PRIORITIES = ['critical', 'urgent', 'high', 'medium', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];
export const PRIORITY_RANK: Record<Priority, number> = { critical: 5, urgent: 4, high: 3, medium: 2, low: 1 };
const P_NAMES: Record<string, Priority> = { p1: 'critical', p2: 'high', p3: 'medium', p4: 'low' };

export const FIELD_TYPES = ['text', 'number', 'boolean', 'date', 'choice', 'choices'] as const;
export const customFieldShape = z.object({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'lower case letters, digits and _'),
  label: z.string().min(1).max(80),
  type: z.enum(FIELD_TYPES),
  options: z.array(z.string().min(1).max(80)).max(100).default([]),
  /** Categories for which it must be filled in; `*` for all. */
  requiredFor: z.array(z.string().max(60)).max(100).default([]),
  /** Customers neither see nor set an internal one. */
  internal: z.boolean().default(false),
});
export type CustomField = z.infer<typeof customFieldShape>;

export interface Desk {
  id: string;
  company: string;
  key: string;
  name: string;
  description: string;
  workflow: Workflow;
  categories: string[];
  customFields: CustomField[];
  defaultPriority: Priority;
  isDefault: boolean;
  /** Of two who are made it at the same moment, the later one stays. */
  defaultSince?: Date;
  active: boolean;
  /** Categories whose tickets are still getting the new name. */
  renames?: Rename[];
  createdAt: Date;
  updatedAt: Date;
}

export interface Rename {
  from: string;
  to: string;
  at: Date;
}

export const DEFAULT_CATEGORIES: Record<Preset, string[]> = {
  support: ['technical', 'billing', 'general', 'product_inquiry', 'feature_request', 'bug_report'],
  devops: ['incident', 'service_request', 'change_request', 'problem', 'maintenance'],
  simple: ['billing', 'technical', 'general'],
  project: ['bug', 'feature', 'task', 'improvement'],
};
export const presetWorkflow = (preset: Preset): Workflow => PRESETS[preset];

export function readPriority(word: string): Priority | undefined {
  const plain = word.trim().toLowerCase();
  return (
    PRIORITIES.find((name) => name === plain) ?? (Object.hasOwn(P_NAMES, plain) ? P_NAMES[plain] : undefined)
  );
}

/** What people type as a priority, in any letter case, P1 to P4 included. */
export const priorityInput = z
  .string()
  .max(40)
  .transform((word, check) => {
    const priority = readPriority(word);
    if (!priority)
      check.addIssue({ code: 'custom', message: `must be one of ${PRIORITIES.join(', ')} (or P1 to P4)` });
    return priority ?? 'medium';
  })
  .meta({
    description: `One of ${PRIORITIES.join(', ')}; P1 to P4 are read as critical, high, medium, low.`,
  });

/** What counts of a category's name: `Bug Report` is `bug_report`. */
export const categoryWord = (text: string): string =>
  text
    .normalize('NFC')
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '_')
    .replace(/^_+|_+$/g, '');

export function readCategory(desk: Desk, word: string): string {
  const wanted = categoryWord(word);
  const known = desk.categories.find((name) => categoryWord(name) === wanted);
  if (known) return known;
  throw invalid('ticket.category_unknown', `The desk ${desk.key} has no category "${word}".`, [
    { path: 'category', message: `must be one of ${desk.categories.join(', ')}` },
  ]);
}

export const ticketKey = (desk: { key: string }, number: number): string =>
  `${desk.key}-${String(number).padStart(6, '0')}`;
/** `TKT-42`, `tkt-000042`, `#TKT-42`: all the same ticket. */
export function readTicketKey(text: string): string | undefined {
  const found = /^#?([a-z][a-z0-9]{0,9})-(\d{1,9})$/i.exec(text.trim());
  return found?.[1] && found[2]
    ? `${found[1].toUpperCase()}-${found[2].replace(/^0+(?=\d)/, '').padStart(6, '0')}`
    : undefined;
}

/** Fields as a desk with these categories has them: what they are required for is spelled as it is there. */
export function readFields(fields: readonly CustomField[], categories: readonly string[]): CustomField[] {
  const problems: { path: string; message: string }[] = [];
  const read = fields.map((field, at) => ({
    ...field,
    requiredFor: field.requiredFor.map((word, nth) => {
      const known = word === '*' ? word : categories.find((one) => categoryWord(one) === categoryWord(word));
      if (known === undefined)
        problems.push({
          path: `fields.${at}.required_for.${nth}`,
          message: `must be * for all, or one of ${categories.join(', ')}`,
        });
      return known ?? word;
    }),
  }));
  if (problems.length)
    throw invalid('desk.fields', 'A field is required for what is no category here.', problems);
  return read;
}

/** The custom fields that somebody filled in, checked against the desk's list. Missing required ones are told by name. */
export function readCustomFields(
  desk: Desk,
  given: Record<string, unknown>,
  category: string | null,
  { forCustomer = false, complete = true } = {},
): Record<string, unknown> {
  const problems: { path: string; message: string }[] = [];
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const field = desk.customFields.find((one) => one.name === name && !(forCustomer && one.internal));
    if (!field)
      problems.push({ path: `custom_fields.${name}`, message: `the desk ${desk.key} has no such field` });
    else if (value === null) out[name] = null;
    else {
      const read = readValue(field, value);
      if (read === undefined) problems.push({ path: `custom_fields.${name}`, message: hint(field) });
      else out[name] = read;
    }
  }
  if (complete)
    for (const field of desk.customFields)
      if (!(forCustomer && field.internal) && isRequired(field, category) && isBlank(out[field.name]))
        problems.push({ path: `custom_fields.${field.name}`, message: 'is required' });
  if (problems.length)
    throw invalid('ticket.custom_fields', 'Some of the custom fields are not right.', problems);
  return out;
}

/** Spaces alone, and a list of nothing, fill nothing in. */
const isBlank = (value: unknown): boolean =>
  value == null || (typeof value === 'string' && !value.trim()) || (Array.isArray(value) && !value.length);

export const isRequired = (field: CustomField, category: string | null): boolean =>
  field.requiredFor.includes('*') || (category !== null && field.requiredFor.includes(category));

const hint = (field: CustomField): string =>
  field.type === 'choice' || field.type === 'choices'
    ? `must be ${field.type === 'choices' ? 'a list out of' : 'one of'} ${field.options.join(', ')}`
    : field.type === 'date'
      ? 'must be a date such as 2026-01-31'
      : field.type === 'text'
        ? `must be a text of at most ${LONGEST_TEXT} characters`
        : `must be a ${field.type}`;

const LONGEST_TEXT = 4_000;
const day = z.union([z.iso.date(), z.iso.datetime({ offset: true, local: true })]);

function readValue(field: CustomField, value: unknown): unknown {
  switch (field.type) {
    case 'text':
      return typeof value === 'string' && value.length <= LONGEST_TEXT ? value : undefined;
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'date':
      return day.safeParse(value).data;
    case 'choice':
      return typeof value === 'string' && field.options.includes(value) ? value : undefined;
    case 'choices':
      return Array.isArray(value) && value.length <= 100 && value.every((one) => field.options.includes(one))
        ? [...new Set(value)]
        : undefined;
    default:
      return field.type satisfies never;
  }
}
