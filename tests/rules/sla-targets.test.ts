// The three promises of a ticket, change by change: what starts, holds, keeps, breaks and restarts them.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nextDeadline, stateOf } from '../../src/sla/clock.ts';
import { type Firing, fireNext } from '../../src/sla/firing.ts';
import {
  defaultPolicy,
  type Policy,
  patched,
  policyPatch,
  type Rules,
  type Terms,
  termsFor,
} from '../../src/sla/policy.ts';
import { advance, type Clocked, datesAfter, type Standing, type TicketSla } from '../../src/sla/targets.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = new Date('2026-11-18T09:00:00Z');
const after = (ms: number): Date => new Date(START.getTime() + ms);
const rulesWith = (patch: unknown = {}, version = 1): Rules => {
  const policy: Policy = { ...patched(defaultPolicy('c'), policyPatch.parse(patch)), version };
  return { version, policies: [policy], calendars: [] };
};
const rules = rulesWith();

/** A ticket's life told in steps: at which minute, what changes, who speaks. */
type Step = [minutes: number, change: Partial<Standing>, spoke?: 'agent' | 'customer'];
function live(steps: Step[], given: Rules = rules): { sla: TicketSla; standing: Standing } {
  let standing: Standing = {
    ...{ statusKind: 'new', status: 'new', priority: 'critical', snoozedUntil: null, deletedAt: null },
  };
  let sla: TicketSla | null = null;
  let before: Standing | null = null;
  steps.forEach(([minutes, change, spoke = null], index) => {
    standing = { ...standing, ...change };
    const happening = { at: after(minutes * MINUTE), seq: index + 1, spoke };
    sla = advance(sla, before, standing, happening, termsFor(given, 'desk', standing.priority));
    before = standing;
  });
  if (!sla) throw new Error('no steps');
  return { sla, standing };
}
const nextOf = (sla: TicketSla) => nextDeadline(sla.clocks);
const clock = (sla: TicketSla, target: string) => sla.clocks.find((each) => each.target === target);
const told = (sla: TicketSla) =>
  Object.fromEntries(
    sla.clocks.map((each) => [
      each.target,
      [stateOf(each.ledger), each.dueAt && (each.dueAt.getTime() - START.getTime()) / MINUTE],
    ]),
  );
const pendingStatus = { statusKind: 'pending', status: 'pending' } as const;
const open = { statusKind: 'open', status: 'open' } as const;
const resolved = { statusKind: 'resolved', status: 'resolved' } as const;

describe('the clocks of a ticket', () => {
  test.each([
    ['critical', 60, 240],
    ['urgent', 120, 720],
    ['high', 240, 1440],
    ['medium', 480, 4320],
    ['low', 1440, 10080],
  ] as const)(
    'a %s ticket is promised an answer in %d minutes and an end in %d',
    (priority, response, resolution) => {
      const { sla } = live([[0, { priority }]]);
      expect(told(sla)).toEqual({
        first_response: ['running', response],
        resolution: ['running', resolution],
      });
    },
  );

  test('are held while it waits for the customer, and go on from where they were', () => {
    expect(
      told(
        live([
          [0, {}],
          [30, pendingStatus],
        ]).sla,
      ),
    ).toEqual({
      first_response: ['paused', null],
      resolution: ['paused', null],
    });
    expect(
      told(
        live([
          [0, {}],
          [30, pendingStatus],
          [90, open],
        ]).sla,
      ),
    ).toEqual({
      first_response: ['running', 120],
      resolution: ['running', 300],
    });
  });

  test('are held while it sleeps, unless the policy says otherwise', () => {
    const steps: Step[] = [
      [0, {}],
      [10, { snoozedUntil: after(HOUR) }],
    ];
    expect(told(live(steps).sla).resolution).toEqual(['paused', null]);
    expect(told(live(steps, rulesWith({ pauseWhile: ['pending'] })).sla).resolution).toEqual([
      'running',
      240,
    ]);
  });

  test("an agent's public word keeps the first response; a customer's next word starts the next", () => {
    const answered = live([
      [0, {}],
      [20, {}, 'customer'],
      [30, {}, 'agent'],
    ]).sla;
    expect(told(answered)).toEqual({ first_response: ['met', null], resolution: ['running', 240] });
    expect(clock(answered, 'first_response')?.metAt).toEqual(after(30 * MINUTE));
    const asked = live([
      [0, {}],
      [30, {}, 'agent'],
      [40, {}, 'customer'],
      [50, {}, 'customer'],
    ]).sla;
    expect(told(asked).next_response).toEqual(['running', 100]);
    const again = live([
      [0, {}],
      [30, {}, 'agent'],
      [40, {}, 'customer'],
      [50, {}, 'agent'],
      [70, {}, 'customer'],
    ]).sla;
    expect(told(again).next_response).toEqual(['running', 130]);
  });

  test('resolving ends them all; reopening promises anew, from zero', () => {
    const done = live([
      [0, {}],
      [30, {}, 'agent'],
      [40, {}, 'customer'],
      [60, resolved],
    ]).sla;
    expect(told(done)).toEqual({
      first_response: ['met', null],
      resolution: ['met', null],
      next_response: ['stopped', null],
    });
    expect(nextOf(done)).toBeNull();
    const back = live([
      [0, {}],
      [30, {}, 'agent'],
      [60, resolved],
      [90, {}, 'customer'],
      [90, open],
    ]).sla;
    expect(told(back)).toEqual({
      first_response: ['met', null],
      resolution: ['running', 330],
      next_response: ['running', 150],
    });
    expect(
      told(
        live([
          [0, {}],
          [60, resolved],
          [90, open],
        ]).sla,
      ).first_response,
    ).toEqual(['running', 150]);
  });

  test('deleting stops them without keeping anything', () => {
    expect(
      told(
        live([
          [0, {}],
          [30, { deletedAt: after(30 * MINUTE) }],
        ]).sla,
      ).resolution,
    ).toEqual(['stopped', null]);
  });

  test('a new priority moves the deadline to where it would be, had it held from the start', () => {
    const raised = live([
      [0, { priority: 'low' }],
      [30, pendingStatus],
      [60, open],
      [90, { priority: 'critical' }],
    ]).sla;
    expect(told(raised)).toEqual({ first_response: ['running', 90], resolution: ['running', 270] });
    expect(clock(raised, 'resolution')?.ledger.at(-1)).toMatchObject({
      kind: 'target',
      ms: 4 * HOUR,
      why: 'priority low to critical',
    });
  });

  test('a change that concerns no clock leaves the very same object', () => {
    const { sla, standing } = live([[0, {}]]);
    const terms = termsFor(rules, 'desk', 'critical');
    expect(advance(sla, standing, standing, { at: after(1), seq: 2, spoke: null }, terms)).toBe(sla);
  });

  test('a promise that a new policy no longer makes is stopped, one that it adds begins', () => {
    const less = rulesWith({ targets: { P1: { firstResponseMinutes: null } } }, 2);
    const { sla, standing } = live([[0, {}]]);
    const change = (given: TicketSla, terms: Terms) =>
      advance(given, standing, standing, { at: after(10 * MINUTE), seq: 2, spoke: null }, terms);
    const without = change(sla, termsFor(less, 'desk', 'critical'));
    expect(told(without).first_response).toEqual(['stopped', null]);
    const bare = live([[0, {}]], less).sla;
    expect(told(change(bare, termsFor(rulesWith({}, 3), 'desk', 'critical'))).first_response).toEqual([
      'running',
      70,
    ]);
  });
});

describe('what is due', () => {
  const fireAll = (sla: TicketSla, minutes: number, given: Rules = rules): [TicketSla, Firing[]] => {
    const firings: Firing[] = [];
    let now = sla;
    for (;;) {
      const step = fireNext(now, after(minutes * MINUTE), termsFor(given, 'desk', 'critical'));
      if (!step) return [now, firings];
      now = step.sla;
      if (step.firing) firings.push(step.firing);
    }
  };
  const names = (firings: Firing[]) =>
    firings.map((each) => [each.target, each.kind, each.share ?? each.step]);

  test('fires at its instant and not a millisecond before', () => {
    const { sla } = live([[0, {}]]);
    expect(
      fireNext(sla, new Date(after(45 * MINUTE).getTime() - 1), termsFor(rules, 'desk', 'critical')),
    ).toBeNull();
    const [warned, firings] = fireAll(sla, 45);
    expect(names(firings)).toEqual([['first_response', 'warning', 0.75]]);
    expect(nextOf(warned)).toEqual(after(54 * MINUTE));
    expect(fireAll(warned, 45)[1]).toEqual([]);
  });

  test('after a long silence comes oldest first, and warnings that help nobody are only mentioned', () => {
    const [sla, firings] = fireAll(live([[0, {}]]).sla, 10_000);
    expect(names(firings)).toEqual([
      ['first_response', 'breach', null],
      ['resolution', 'breach', null],
    ]);
    expect(firings.map((each) => each.passed)).toEqual([
      ['warning:75', 'warning:90'],
      ['warning:75', 'warning:90'],
    ]);
    expect(firings[0]?.dueAt).toEqual(after(HOUR));
    expect([sla.breached, sla.breaches, nextOf(sla)]).toEqual([true, 2, null]);
  });

  test('the steps of the escalation follow one by one, counted from the breach, and stop when it is kept', () => {
    const chain = rulesWith({
      warnAtPercent: [],
      escalation: [
        { afterMinutes: 0, targets: ['resolution'], notify: ['lead'] },
        { afterMinutes: 30, targets: ['resolution'], raisePriority: true },
      ],
    });
    const start = live(
      [
        [0, {}],
        [30, {}, 'agent'],
      ],
      chain,
    ).sla;
    expect(names(fireAll(start, 240, chain)[1])).toEqual([
      ['resolution', 'breach', null],
      ['resolution', 'escalation', 0],
    ]);
    expect(names(fireAll(start, 270, chain)[1]).at(-1)).toEqual(['resolution', 'escalation', 1]);
    const [breached] = fireAll(start, 240, chain);
    const standing = live([[0, {}]], chain).standing;
    const kept = advance(
      breached,
      standing,
      { ...standing, ...resolved },
      { at: after(250 * MINUTE), seq: 9, spoke: null },
      termsFor(chain, 'desk', 'critical'),
    );
    expect(fireAll(kept, 1000, chain)[1]).toEqual([]);
  });

  test('a promise kept late, before anybody noticed, is still recorded as broken', () => {
    const late = live([
      [0, {}],
      [61, {}, 'agent'],
    ]).sla;
    expect(names(fireAll(late, 62)[1])).toEqual([['first_response', 'breach', null]]);
    const twice = live([
      [0, {}],
      [30, {}, 'agent'],
      [40, {}, 'customer'],
      [101, {}, 'agent'],
      [102, {}, 'customer'],
    ]).sla;
    const [sla, firings] = fireAll(twice, 103);
    expect(firings.map((each) => [each.target, each.kind, each.dueAt])).toEqual([
      ['next_response', 'breach', after(100 * MINUTE)],
    ]);
    expect(told(sla).next_response).toEqual(['running', 162]);
  });

  test('a longer promise takes a breach back, and it comes again when its new time has come', () => {
    const [broken] = fireAll(live([[0, {}]]).sla, 60);
    const longer = rulesWith({ targets: { critical: { firstResponseMinutes: 120 } } }, 2);
    const { standing } = live([[0, {}]]);
    const eased = advance(
      broken,
      standing,
      standing,
      { at: after(61 * MINUTE), seq: 5, spoke: null },
      termsFor(longer, 'desk', 'critical'),
    );
    expect([eased.breached, told(eased).first_response]).toEqual([false, ['running', 120]]);
    expect(names(fireAll(eased, 120, longer)[1])).toEqual([['first_response', 'breach', null]]);
  });

  test('however the sweeps fall, every mark of an untouched ticket fires once', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }), (gaps) => {
        let { sla } = live([[0, {}]]);
        let minutes = 0;
        const all: Firing[] = [];
        for (const gap of [...gaps, 1_000]) {
          minutes += gap;
          const [next, firings] = fireAll(sla, minutes);
          for (const each of firings) expect(each.dueAt <= after(minutes * MINUTE)).toBe(true);
          all.push(...firings);
          sla = next;
        }
        const seen = all.flatMap((each) => [
          `${each.target} ${each.share ?? each.kind}`,
          ...each.passed.map((name) => `${each.target} 0.${name.slice(-2).replace('0', '')}`),
        ]);
        expect(seen.sort()).toEqual(
          ['first_response', 'resolution'].flatMap((t) => [`${t} 0.75`, `${t} 0.9`, `${t} breach`]).sort(),
        );
      }),
    );
  });
});

describe('the dates of a ticket', () => {
  const blank: Clocked = {
    ...{
      desk: 'desk',
      statusKind: 'new',
      status: 'new',
      priority: 'critical',
      snoozedUntil: null,
      deletedAt: null,
    },
    ...{ sla: null, autoCloseAt: null, nextDeadlineAt: null, dueDate: null, dueAt: null },
  };
  const step = (before: Clocked | null, set: Partial<Clocked>, minutes: number): Clocked => {
    const next = { ...(before ?? blank), ...set };
    return {
      ...next,
      ...datesAfter(before, next, { at: after(minutes * MINUTE), seq: minutes + 1, spoke: null }, rules),
    };
  };

  test('what is due next is the earliest of warning, waking up and closing', () => {
    const born = step(null, {}, 0);
    expect(born.nextDeadlineAt).toEqual(after(45 * MINUTE));
    expect(born.dueAt).toEqual(after(240 * MINUTE));
    expect(step(born, { dueDate: START }, 1).dueAt).toEqual(START);
    const asleep = step(born, { snoozedUntil: after(20 * MINUTE) }, 5);
    expect(asleep.nextDeadlineAt).toEqual(after(20 * MINUTE));
    const done = step(asleep, { ...resolved, snoozedUntil: null }, 10);
    expect(done.autoCloseAt).toEqual(after(10 * MINUTE + 168 * HOUR));
    expect(done.nextDeadlineAt).toEqual(done.autoCloseAt);
    const closed = step(done, { statusKind: 'closed', status: 'closed' }, 20);
    expect([closed.autoCloseAt, closed.nextDeadlineAt]).toEqual([null, null]);
  });
});
