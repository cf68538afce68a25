// Workflows: states, each of a kind, and the moves between them. Presets are data; a desk may have its own steps.
import { z } from 'zod';
import { conflict, invalid } from '../errors.ts';

export const KINDS = ['new', 'open', 'pending', 'resolved', 'closed'] as const;
export type StatusKind = (typeof KINDS)[number];

export const workflowShape = z.object({
  preset: z.enum(['support', 'devops', 'simple', 'project', 'steps']),
  initial: z.string().min(1).max(40),
  states: z
    .array(
      z.object({
        name: z.string().regex(/^[a-z][a-z0-9_]{0,39}$/),
        label: z.string().min(1).max(60),
        kind: z.enum(KINDS),
      }),
    )
    .min(2)
    .max(40),
  /** From a state to the states that may follow it. */
  moves: z.record(z.string(), z.array(z.string()).max(40)),
});
export type Workflow = z.infer<typeof workflowShape>;
export type Preset = 'support' | 'devops' | 'simple' | 'project';

const label = (name: string) => name.replaceAll('_', ' ').replace(/^./, (first) => first.toUpperCase());
const flow = (preset: Preset, states: Record<string, [StatusKind, string]>): Workflow => ({
  preset,
  initial: Object.keys(states)[0] ?? 'open',
  states: Object.entries(states).map(([name, [kind]]) => ({ name, label: label(name), kind })),
  moves: Object.fromEntries(
    Object.entries(states).map(([name, [, to]]) => [name, to.split(' ').filter(Boolean)]),
  ),
});

export const PRESETS: Record<Preset, Workflow> = {
  support: flow('support', {
    new: ['new', 'open in_progress pending resolved closed'],
    open: ['open', 'in_progress pending resolved closed'],
    in_progress: ['open', 'open pending resolved closed'],
    pending: ['pending', 'open in_progress resolved closed'],
    resolved: ['resolved', 'closed reopened'],
    closed: ['closed', 'reopened'],
    reopened: ['open', 'open in_progress pending resolved closed'],
  }),
  devops: flow('devops', {
    new: ['new', 'open in_progress closed'],
    open: ['open', 'in_progress pending_info resolved closed'],
    in_progress: ['open', 'pending_info resolved escalated open'],
    pending_info: ['pending', 'in_progress open closed'],
    resolved: ['resolved', 'closed reopened'],
    closed: ['closed', 'reopened'],
    reopened: ['open', 'open in_progress resolved'],
    escalated: ['open', 'in_progress resolved closed'],
  }),
  simple: flow('simple', {
    open: ['open', 'in_progress resolved'],
    in_progress: ['open', 'open resolved'],
    resolved: ['resolved', 'closed open'],
    closed: ['closed', 'open'],
  }),
  project: flow('project', {
    open: ['open', 'in_progress closed'],
    in_progress: ['open', 'open closed blocked'],
    blocked: ['pending', 'in_progress open'],
    closed: ['closed', 'open in_progress'],
  }),
};

/** Ordered steps of a desk's own: forward and back by any step; the last one closes. */
export function stepsWorkflow(steps: readonly { name: string; kind?: StatusKind }[]): Workflow {
  const labels = steps.map((step) => plain(step.name));
  if (labels.length < 2) throw invalid('workflow.too_short', 'A workflow needs at least two steps.');
  const twice = steps.find((step, at) => labels.indexOf(plain(step.name)) !== at);
  if (twice) throw invalid('workflow.step_twice', `The step "${twice.name}" stands there twice.`);
  const names = namesOf(steps.map((step) => slug(step.name)));
  const last = names.length - 1;
  const kindAt = (at: number): StatusKind =>
    steps[at]?.kind ?? (at === 0 ? 'new' : at === last ? 'closed' : 'open');
  return {
    preset: 'steps',
    initial: names[0] ?? 'open',
    states: names.map((name, at) => ({ name, label: steps[at]?.name ?? name, kind: kindAt(at) })),
    moves: Object.fromEntries(names.map((name) => [name, names.filter((other) => other !== name)])),
  };
}

/** As people mean it: any letter case, spaces or dashes, letters of any alphabet. */
function plain(text: string): string {
  const word = text.normalize('NFKC').trim().toLowerCase();
  return word.replace(/[^\p{L}\p{M}\p{N}]+/gu, '_').replace(/^_+|_+$/g, '') || word;
}

/** As a name on the wire: `eroffnet` for `Eröffnet`; what has no such letters is just a step. */
const slug = (text: string): string => {
  const letters = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const name = letters.replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '');
  return (/^[a-z]/.test(name) ? name : `step_${name}`.replace(/_$/, '')).slice(0, 40);
};

/** Each its own, also where several are written alike in our letters. */
function namesOf(slugs: readonly string[]): string[] {
  const taken = new Set<string>();
  return slugs.map((name) => {
    let own = name;
    for (let nth = 2; taken.has(own); nth++) own = `${name.slice(0, 36)}_${nth}`;
    taken.add(own);
    return own;
  });
}

/** A workflow that says of each state where it leads, and leads only to states that exist. */
export function checkWorkflow(workflow: Workflow): Workflow {
  const names = workflow.states.map((state) => state.name);
  const known = new Set(names);
  if (known.size !== names.length) throw invalid('workflow.state_twice', 'A state stands there twice.');
  if (!known.has(workflow.initial))
    throw invalid('workflow.initial_unknown', `There is no state "${workflow.initial}" to begin with.`);
  for (const [from, targets] of Object.entries(workflow.moves))
    for (const name of [from, ...targets])
      if (!known.has(name))
        throw invalid('workflow.state_unknown', `A move names the state "${name}", which does not exist.`);
  if (!workflow.states.some((state) => state.kind === 'closed'))
    throw invalid('workflow.never_ends', 'A workflow needs a state that closes a ticket.');
  return workflow;
}

/** Written by people: any letter case, spaces or dashes, and the label. */
export function readStatus(workflow: Workflow, word: string): string | undefined {
  const wanted = plain(word);
  const { states } = workflow;
  return (states.find(({ name }) => name === wanted) ?? states.find(({ label }) => plain(label) === wanted))
    ?.name;
}

export const kindOf = (workflow: Workflow, status: string): StatusKind =>
  workflow.states.find((state) => state.name === status)?.kind ?? 'open';

/** Whatever stands where the workflow has no state (any more) may go anywhere. */
export const nextOf = (workflow: Workflow, status: string): readonly string[] => {
  if (Object.hasOwn(workflow.moves, status)) return workflow.moves[status] ?? [];
  const names = workflow.states.map((state) => state.name);
  return names.includes(status) ? [] : names;
};

export function checkMove(workflow: Workflow, from: string, to: string): void {
  const allowed = nextOf(workflow, from);
  if (allowed.includes(to)) return;
  const words = allowed.length
    ? `From ${from} it may become ${allowed.join(', ')}.`
    : `From ${from} it goes nowhere.`;
  throw conflict('ticket.transition', `A ticket that is ${from} cannot become ${to}. ${words}`, {
    details: allowed.map((status) => ({ path: 'status', message: status })),
  });
}

/** The state of a kind that a person means by a verb (resolve, close, reopen), reachable from here if possible. */
export function stateOfKind(workflow: Workflow, kind: StatusKind, from: string): string | undefined {
  const wanted = workflow.states.filter((state) => state.kind === kind).map((state) => state.name);
  const allowed = nextOf(workflow, from);
  return wanted.find((name) => allowed.includes(name)) ?? wanted[0];
}

/** Where reopening leads: `reopened` where there is one, else the first open state that may follow. */
export function reopenedState(workflow: Workflow, from: string): string | undefined {
  const allowed = nextOf(workflow, from);
  if (allowed.includes('reopened')) return 'reopened';
  return (
    allowed.find((name) => kindOf(workflow, name) === 'open') ??
    allowed.find((name) => kindOf(workflow, name) === 'new')
  );
}

/** The step after this one. In the presets, steps aside (pending, escalated, reopened) are no next step. */
export function stepAfter(workflow: Workflow, status: string): string | undefined {
  const at = workflow.states.findIndex((state) => state.name === status);
  const here = workflow.states[at];
  const aside = (name: string, kind: StatusKind) =>
    workflow.preset !== 'steps' && (kind === 'pending' || name === 'escalated' || name === 'reopened');
  const allowed = nextOf(workflow, status);
  return workflow.states
    .slice(here && aside(here.name, here.kind) ? 0 : at + 1)
    .find(({ name, kind }) => allowed.includes(name) && !aside(name, kind))?.name;
}
