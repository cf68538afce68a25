// Workflows: the presets are those of the references, move by move, and every workflow keeps a few laws.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Refusal } from '../../src/errors.ts';
import {
  checkMove,
  checkWorkflow,
  kindOf,
  nextOf,
  PRESETS,
  type Preset,
  readStatus,
  reopenedState,
  stateOfKind,
  stepAfter,
  stepsWorkflow,
  type Workflow,
  workflowShape,
} from '../../src/tickets/workflow.ts';

const MOVES: Record<Preset, Record<string, string[]>> = {
  support: {
    new: ['open', 'in_progress', 'pending', 'resolved', 'closed'],
    open: ['in_progress', 'pending', 'resolved', 'closed'],
    in_progress: ['open', 'pending', 'resolved', 'closed'],
    pending: ['open', 'in_progress', 'resolved', 'closed'],
    resolved: ['closed', 'reopened'],
    closed: ['reopened'],
    reopened: ['open', 'in_progress', 'pending', 'resolved', 'closed'],
  },
  devops: {
    new: ['open', 'in_progress', 'closed'],
    open: ['in_progress', 'pending_info', 'resolved', 'closed'],
    in_progress: ['pending_info', 'resolved', 'escalated', 'open'],
    pending_info: ['in_progress', 'open', 'closed'],
    resolved: ['closed', 'reopened'],
    closed: ['reopened'],
    reopened: ['open', 'in_progress', 'resolved'],
    escalated: ['in_progress', 'resolved', 'closed'],
  },
  simple: {
    open: ['in_progress', 'resolved'],
    in_progress: ['open', 'resolved'],
    resolved: ['closed', 'open'],
    closed: ['open'],
  },
  project: {
    open: ['in_progress', 'closed'],
    in_progress: ['open', 'closed', 'blocked'],
    blocked: ['in_progress', 'open'],
    closed: ['open', 'in_progress'],
  },
};
const presets = Object.keys(MOVES) as Preset[];
const pairs = presets.flatMap((preset) => {
  const names = Object.keys(MOVES[preset]);
  return names.flatMap((from) =>
    names.map((to) => [preset, from, to, MOVES[preset][from]?.includes(to) ?? false] as const),
  );
});

const refusalOf = (work: () => void): Refusal | null => {
  try {
    work();
    return null;
  } catch (error) {
    return error as Refusal;
  }
};

test('a ticket that stands where its workflow has no state any more may go anywhere', () => {
  expect(nextOf(PRESETS.simple, 'pending')).toEqual(['open', 'in_progress', 'resolved', 'closed']);
  expect(nextOf(PRESETS.simple, 'constructor')).toEqual(nextOf(PRESETS.simple, 'pending'));
});

describe('the presets', () => {
  test.each(pairs)('%s: from %s to %s: %s', (preset, from, to, allowed) => {
    const refusal = refusalOf(() => checkMove(PRESETS[preset], from, to));
    expect(refusal === null).toBe(allowed);
    if (refusal) {
      expect(refusal.kind).toBe('conflict');
      expect(refusal.details.map((one) => one.message)).toEqual(MOVES[preset][from]);
    }
  });

  test.each(presets)('%s begins in its first state, ends somewhere, and can be reopened', (preset) => {
    const workflow = PRESETS[preset];
    expect(checkWorkflow(workflow)).toBe(workflow);
    for (const { name, kind } of workflow.states)
      if (kind === 'closed') {
        const to = reopenedState(workflow, name);
        expect(to && nextOf(workflow, name).includes(to)).toBe(true);
        expect(['new', 'open']).toContain(kindOf(workflow, to ?? ''));
      }
  });
});

describe('words for a state', () => {
  test.each([
    ['IN_PROGRESS', 'in_progress'],
    ['In progress', 'in_progress'],
    [' pending-info ', 'pending_info'],
    ['ReOpened', 'reopened'],
    ['sleeping', undefined],
    ['__proto__', undefined],
    ['constructor', undefined],
  ])('%s', (word, state) => {
    expect(readStatus(PRESETS.devops, word)).toBe(state);
  });

  test('a verb means the state of its kind that can be reached', () => {
    expect(stateOfKind(PRESETS.devops, 'open', 'pending_info')).toBe('open');
    expect(stateOfKind(PRESETS.project, 'resolved', 'open')).toBeUndefined();
  });
});

describe('steps', () => {
  test.each([
    ['support', 'new', 'open'],
    ['support', 'in_progress', 'resolved'],
    ['support', 'pending', 'open'],
    ['devops', 'escalated', 'in_progress'],
    ['devops', 'closed', undefined],
    ['project', 'in_progress', 'closed'],
  ] as const)('%s: after %s comes %s', (preset, from, to) => {
    expect(stepAfter(PRESETS[preset], from)).toBe(to);
  });

  const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{3,12}$/), { minLength: 2, maxLength: 12 });
  const walk = (workflow: Workflow): string[] => {
    const seen = [workflow.initial];
    for (let at: string | undefined = workflow.initial; at; at = stepAfter(workflow, at))
      if (at !== seen.at(-1)) seen.push(at);
    return seen;
  };

  test('of a desk’s own are walked one by one, from the first to the one that closes', () => {
    fc.assert(
      fc.property(names, (steps) => {
        const workflow = checkWorkflow(stepsWorkflow(steps.map((name) => ({ name }))));
        expect(walk(workflow)).toEqual(steps);
        expect(kindOf(workflow, steps.at(-1) ?? '')).toBe('closed');
      }),
      { numRuns: 200 },
    );
  });

  test('may be named in any alphabet, are found by that name, and have names of their own on the wire', () => {
    const said = ['Eröffnet', 'Открыто', 'В работе', '2nd level', '完了'];
    const workflow = checkWorkflow(stepsWorkflow(said.map((name) => ({ name }))));
    expect(() => workflowShape.parse(workflow)).not.toThrow();
    expect(workflow.states.map((state) => state.name)).toEqual([
      ...['eroffnet', 'step', 'step_2', 'step_2nd_level', 'step_3'],
    ]);
    expect(walk(workflow)).toEqual(workflow.states.map((state) => state.name));
    for (const { name, label } of workflow.states)
      for (const word of [name, label, label.toUpperCase()]) expect(readStatus(workflow, word)).toBe(name);
    expect(readStatus(workflow, 'закрыто')).toBeUndefined();
    expect(() => stepsWorkflow([{ name: 'Закрыто' }, { name: 'закрыто ' }])).toThrow(/twice/);
  });

  test('that stand there twice, or lead nowhere, are refused', () => {
    expect(() => stepsWorkflow([{ name: 'Done' }, { name: 'done ' }])).toThrow(/twice/);
    expect(() => stepsWorkflow([{ name: 'Done' }])).toThrow(/two/);
    expect(() => checkWorkflow({ ...PRESETS.simple, moves: { open: ['nowhere'] } })).toThrow(/nowhere/);
  });
});
