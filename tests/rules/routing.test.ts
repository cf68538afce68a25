// Who gets a ticket, by table; which team fits, by words; and who is on call, against the laws that a rota must keep.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { type Described, fitOf, stem } from '../../src/routing/fit.ts';
import { dutyAt, instantOf, orderAt, type Rota, rotaInput, rotaOf } from '../../src/routing/rota.ts';
import { type Candidate, choose, type Situation, type Waiting } from '../../src/routing/routing.ts';
import { ruleInput } from '../../src/routing/rule.ts';

const DAY = 86_400_000;
const person = (name: string, more: Partial<Candidate> = {}): Candidate => ({
  ...{ id: name.toLowerCase(), name, role: 'agent', teams: ['t'], skills: [], away: null },
  ...{ capacity: null, open: 0, weight: 0, ...more },
});
const team = (id: string, description = '', category: string | null = null): Described => ({
  ...{ id, name: id, category, description },
});
const ticket = (more: Partial<Waiting> = {}): Waiting => ({
  ...{ title: 'It smokes', description: '', category: null, team: null, declined: [], ...more },
});
const situation = (rule: Record<string, unknown>, more: Partial<Situation> = {}): Situation => ({
  rule: ruleInput.parse(rule),
  people: [person('Ana'), person('Bo'), person('Mei')],
  teams: [team('t')],
  turns: new Map(),
  onCall: () => [],
  ...more,
});

describe('the choice', () => {
  const away = new Date('2030-01-07T08:00:00Z');
  const two = { people: [person('Ana', { open: 3, weight: 3 }), person('Bo', { open: 1, weight: 9 })] };
  const skilled = {
    people: [person('Ana', { skills: ['Invoices', 'French'] }), person('Bo', { skills: ['invoices'] })],
  };
  const billing = [{ category: 'Billing', skills: ['invoices', 'french'] }];
  const taken = new Map([
    ['ana', 3],
    ['bo', 1],
    ['mei', 2],
  ]);
  test.each<[string, Situation, Waiting, string | null, RegExp]>([
    ['is nobody by hand', situation({ strategy: 'manual' }), ticket(), null, /given out by hand/],
    [
      'begins with who is here longest',
      situation({ strategy: 'round_robin' }),
      ticket(),
      'ana',
      /Ana begins/,
    ],
    [
      'is whose turn was longest ago',
      situation({ strategy: 'round_robin' }, { turns: taken }),
      ticket(),
      'bo',
      /Bo is next, after Ana/,
    ],
    ['is who has least', situation({ strategy: 'least_loaded' }, two), ticket(), 'bo', /Bo with 1 open/],
    [
      'is who has the lightest load',
      situation({ strategy: 'least_loaded', load: 'weight' }, two),
      ticket(),
      'ana',
      /Ana with a load of 3/,
    ],
    [
      'is who knows it all',
      situation({ strategy: 'by_skill', categories: billing }, skilled),
      ticket({ category: 'billing' }),
      'ana',
      /Bo \(without french\)/,
    ],
    [
      'is not asked for more than the category needs',
      situation({ strategy: 'by_skill', categories: billing }, { ...skilled, turns: new Map([['ana', 1]]) }),
      ticket({ category: 'technical' }),
      'bo',
      /Bo is next/,
    ],
    [
      'leaves out who is away, full, or put it back',
      situation(
        { strategy: 'round_robin', capacity: 2 },
        { people: [person('Ana', { away }), person('Bo', { open: 2 }), person('Mei'), person('Kim')] },
      ),
      ticket({ declined: ['mei'] }),
      'kim',
      /Ana \(away until 2030-01-07 08:00 UTC\), Bo \(2 of 2 open\), Mei \(put it back just now\)/,
    ],
    [
      'may be somebody away where the rule says so',
      situation({ strategy: 'round_robin', skipAway: false }, { people: [person('Ana', { away })] }),
      ticket(),
      'ana',
      /Ana/,
    ],
    [
      'is by their own limit before the one of the desk',
      situation(
        { strategy: 'round_robin', capacity: 2 },
        { people: [person('Ana', { open: 2, capacity: 3 }), person('Bo', { capacity: 0 })] },
      ),
      ticket(),
      'ana',
      /Bo \(0 of 0 open\)/,
    ],
    [
      'waits when nobody can',
      situation({ strategy: 'round_robin', capacity: 1 }, { people: [person('Ana', { open: 1 })] }),
      ticket(),
      null,
      /it waits\. Left out: Ana/,
    ],
    [
      'is within the team that it is with',
      situation(
        { strategy: 'round_robin', teamId: 't' },
        { people: [person('Ana'), person('Zoe', { teams: ['other'] })], teams: [team('t'), team('other')] },
      ),
      ticket({ team: 'other' }),
      'zoe',
      /Zoe/,
    ],
    [
      'is a manager only as a member of the team',
      situation({ strategy: 'round_robin' }, { people: [person('Mona', { role: 'manager' })] }),
      ticket(),
      null,
      /nobody to take it/,
    ],
    [
      'is who is on call, or who stands in',
      situation(
        { strategy: 'on_call', teamId: 't' },
        { people: [person('Ana', { away }), person('Bo')], onCall: () => ['ana', 'bo'] },
      ),
      ticket(),
      'bo',
      /Bo stands in\. Left out: Ana/,
    ],
    [
      'waits where nobody is on call',
      situation({ strategy: 'on_call', teamId: 't' }),
      ticket(),
      null,
      /^Nobody who could take it is on call: it waits\.$/,
    ],
    [
      'is the person named for the category',
      situation({ strategy: 'by_category', categories: [{ category: 'billing', userId: 'mei' }] }),
      ticket({ category: 'Billing' }),
      'mei',
      /one person/,
    ],
  ])('%s', (_, given, of, user, why) => {
    const choice = choose(of, given);
    expect([choice.user, choice.why]).toEqual([user, expect.stringMatching(why)]);
  });

  test.each<[string, Record<string, unknown>, Partial<Waiting>, string | null, string | null]>([
    ['the team named', { categories: [{ category: 'billing', teamId: 'money' }] }, {}, 'money', 'zoe'],
    ['the team whose category it is', {}, {}, 'books', 'kim'],
    ['no person, when only teams are chosen', { assignPerson: false }, {}, 'books', null],
    ['the team of last resort', { teamId: 't' }, { category: 'odd' }, 't', 'ana'],
    ['nobody, when nothing says where', {}, { category: 'odd' }, null, null],
  ])('by category is %s', (_, rule, of, wantedTeam, user) => {
    const people = [
      ...[person('Ana'), person('Zoe', { teams: ['money'] }), person('Kim', { teams: ['books'] })],
    ];
    const teams = [team('t'), team('money'), team('books', '', 'Billing')];
    const choice = choose(
      ticket({ category: 'billing', ...of }),
      situation({ strategy: 'by_category', ...rule }, { people, teams }),
    );
    expect([choice.team, choice.user]).toEqual([wantedTeam, user]);
  });

  test('of round robin gives everybody as many as the others, whoever comes and goes', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const steps = fc.array(fc.subarray(names, { minLength: 1 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(steps, (all) => {
        const turns = new Map<string, number>();
        const last = new Map<string, number>();
        all.forEach((here, at) => {
          const people = names.map((one) =>
            person(one, here.includes(one) ? {} : { away: 'until further notice' }),
          );
          const { user } = choose(ticket(), situation({ strategy: 'round_robin' }, { people, turns }));
          if (user === null) throw new Error('somebody was there');
          expect(here).toContain(user);
          for (const one of here) expect(last.get(user) ?? -1).toBeLessThanOrEqual(last.get(one) ?? -1);
          last.set(user, at);
          turns.set(user, at + 1);
        });
      }),
      { numRuns: 100 },
    );
  });
});

describe('the team that fits best', () => {
  const teams = [
    team('Billing', 'Invoices, refunds, payments and everything about money'),
    team('Network', 'VPN, wifi, firewall and slow connections'),
    team('Access', 'Passwords, logins, accounts and two-factor codes'),
  ];
  test.each([
    ['Refund my last invoice', 'I was charged twice.', 'Billing'],
    ['Locked out', 'I forgot my password and cannot log in to my account', 'Access'],
    ['The VPN drops', '', 'Network'],
    ['Coffee machine is empty', 'Please refill it.', null],
    ['Please help', 'I have a problem with everything', null],
    ['Password and firewall', '', null],
    ['Lunch', 'We talked about money once.', null],
  ])('of "%s" is found by words, or none', (title, description, wanted) => {
    const fit = fitOf({ title, description, category: null }, teams, 0.6);
    expect([fit.team, fit.why]).toEqual([wanted, expect.stringMatching(/\.$/)]);
  });

  test('is told with the words that spoke for it, and what spoke for the next', () => {
    const given = { title: 'Invoice and refunds, and my password', description: '', category: null };
    const fit = fitOf(given, teams, 0.6);
    expect(fit.why).toBe('Fits best: Billing by invoice, refunds (67 %), Access 33 %.');
    expect(fitOf(given, teams, 0.7).why).toMatch(/^No team fits well enough: Billing/);
  });

  test('is never found where there are no teams, and no text breaks it', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.array(fc.string(), { maxLength: 5 }), (a, b, descriptions) => {
        const all = descriptions.map((one, at) => team(`team ${at}`, one));
        const fit = fitOf({ title: a, description: b, category: null }, all, 0);
        expect(fit.team === null || all.some(({ id }) => id === fit.team)).toBe(true);
        expect(fit.share).toBeGreaterThanOrEqual(0);
        expect(fit.share).toBeLessThanOrEqual(1.000_001);
      }),
    );
    expect(fitOf({ title: 'x', description: '', category: null }, [], 0).team).toBeNull();
  });

  test.each([
    ['refunds', 'refund'],
    ['refunded', 'refund'],
    ['invoicing', 'invoice'],
    ['entries', 'entry'],
    ['access', 'access'],
    ['status', 'status'],
  ])('takes %s for %s', (one, other) => expect(stem(one)).toBe(stem(other)));
});

describe('a rota', () => {
  const at = (iso: string, zone: string) => DateTime.fromISO(iso, { zone }).toJSDate();
  const berlin: Rota = {
    ...{ timeZone: 'Europe/Berlin', startsOn: '2026-10-19', handoverTime: '09:00', turnDays: 7 },
    ...{ memberIds: ['ana', 'bo', 'mei'], overrides: [] },
  };

  test.each([
    ['2026-10-19T09:00', 'ana'],
    ['2026-10-26T08:59', 'ana'],
    ['2026-10-26T09:00', 'bo'],
    ['2026-11-02T09:00', 'mei'],
    ['2026-11-09T09:00', 'ana'],
    ['2026-10-19T08:59', 'mei'],
    ['2026-10-12T08:59', 'bo'],
    ['2027-03-29T08:59', 'bo'],
    ['2027-03-29T09:00', 'mei'],
  ])('at %s it is %s', (iso, user) => {
    expect(dutyAt(berlin, at(iso, 'Europe/Berlin')).user).toBe(user);
  });

  test('lasts seven local days also when the clocks change: an hour longer in autumn, shorter in spring', () => {
    const hours = (iso: string) => {
      const { from, to } = dutyAt(berlin, at(iso, 'Europe/Berlin'));
      return (to.getTime() - from.getTime()) / 3_600_000;
    };
    expect([hours('2026-10-20'), hours('2026-10-30'), hours('2027-03-23')]).toEqual([169, 168, 167]);
  });

  test('hands over at the moment of the skip when the clocks skip its time, and at the first of two', () => {
    expect(instantOf('Europe/Berlin', Date.UTC(2027, 2, 28, 2, 30))).toBe(Date.UTC(2027, 2, 28, 1));
    expect(instantOf('Europe/Berlin', Date.UTC(2026, 9, 25, 2, 30))).toBe(Date.UTC(2026, 9, 25, 0, 30));
  });

  test('begins on the weekday asked for', () => {
    const now = at('2026-11-21T12:00', 'Asia/Tokyo');
    const day = (more: Record<string, unknown>) =>
      rotaOf(rotaInput.parse({ timeZone: 'Asia/Tokyo', memberIds: ['a'], ...more }), now).startsOn;
    expect(day({})).toBe('2026-11-21');
    expect(day({ handoverWeekday: 'monday' })).toBe('2026-11-16');
    expect(day({ handoverWeekday: 'monday', startsOn: '2026-11-24' })).toBe('2026-11-30');
  });

  const zones = [
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'America/Sao_Paulo',
    'Asia/Kathmandu',
  ];
  const members = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 });
  const start = Date.UTC(2026, 0, 1);
  const instant = fc.integer({ min: start - 400 * DAY, max: start + 900 * DAY }).map((ms) => new Date(ms));
  const overrides = fc.array(
    fc
      .tuple(fc.constantFrom('x', 'y', 'z'), instant, fc.integer({ min: 1, max: 20 * DAY }))
      .map(([userId, from, ms]) => ({ userId, from, to: new Date(from.getTime() + ms) })),
    { maxLength: 6 },
  );
  const rota = (withOverrides: boolean): fc.Arbitrary<Rota> =>
    fc.record({
      timeZone: fc.constantFrom(...zones),
      startsOn: fc
        .integer({ min: 0, max: 700 })
        .map((day) => new Date(start + day * DAY).toISOString().slice(0, 10)),
      handoverTime: fc
        .integer({ min: 0, max: 1439 })
        .map((m) => new Date(m * 60_000).toISOString().slice(11, 16)),
      turnDays: fc.integer({ min: 1, max: 30 }),
      memberIds: members,
      overrides: withOverrides ? overrides : fc.constant([]),
    });

  test('has exactly one person at each instant, the same all through what it says of itself', () => {
    fc.assert(
      fc.property(rota(true), instant, (one, when) => {
        const duty = dutyAt(one, when);
        expect(duty.from <= when && when < duty.to).toBe(true);
        expect([...one.memberIds, 'x', 'y', 'z']).toContain(duty.user);
        for (const share of [0, 0.3, 0.999]) {
          const inside = new Date(Math.floor(+duty.from + (+duty.to - +duty.from) * share));
          expect(dutyAt(one, inside)).toEqual(duty);
        }
        expect(dutyAt(one, duty.to).from).toEqual(duty.to);
        expect(new Set(orderAt(one, when)).size).toBe(orderAt(one, when).length);
        expect(orderAt(one, when)[0]).toBe(duty.user);
      }),
      { numRuns: 300 },
    );
  });

  test('gives way to overrides, the last one of several, and to nothing else', () => {
    fc.assert(
      fc.property(rota(true), instant, (one, when) => {
        const over = one.overrides.findLast(({ from, to }) => from <= when && when < to);
        const plain = dutyAt({ ...one, overrides: [] }, when);
        expect(dutyAt(one, when).user).toBe(over?.userId ?? plain.user);
        expect(dutyAt(one, when).overridden).toBe(over !== undefined);
      }),
      { numRuns: 300 },
    );
  });

  test('goes round in order, each turn so many local days from one time on the wall to the same', () => {
    fc.assert(
      fc.property(rota(false), instant, (one, when) => {
        const duty = dutyAt(one, when);
        const next = dutyAt(one, duty.to);
        const place = one.memberIds.indexOf(duty.user);
        expect(next.user).toBe(one.memberIds[(place + 1) % one.memberIds.length]);
        const [from, to] = [duty.from, duty.to].map((edge) =>
          DateTime.fromJSDate(edge, { zone: one.timeZone }),
        ) as [DateTime, DateTime];
        expect(Math.round(to.startOf('day').diff(from.startOf('day'), 'days').days)).toBe(one.turnDays);
        const isSkipped = DateTime.fromISO(`${from.toISODate()}T${one.handoverTime}`, { zone: one.timeZone });
        if (isSkipped.toFormat('HH:mm') === one.handoverTime)
          expect(from.toFormat('HH:mm')).toBe(one.handoverTime);
      }),
      { numRuns: 300 },
    );
  });
});
