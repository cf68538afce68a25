// Who may hand a ticket to whom, as a table; and that a higher role may do all that a lower one may.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ROLES, type Role, type Who } from '../../src/people/access.ts';
import { type Holder, mayHandOver } from '../../src/tickets/assignment.ts';

const who = (role: Role, more: Partial<Who> = {}): Who => ({
  ...{ kind: 'user', id: 'me', role, company: 'c', teams: ['mine'] },
  ...more,
});
const nobody: Holder = { user: null, teams: [], team: null };
const me: Holder = { user: 'me', teams: ['mine'], team: null };
const mate: Holder = { user: 'mate', teams: ['mine', 'x'], team: null };
const stranger: Holder = { user: 'stranger', teams: ['theirs'], team: null };
const inTeam = (holder: Holder, team: string | null): Holder => ({ ...holder, team });

describe('handing over', () => {
  test.each([
    ['customer', 'takes it', nobody, me, false],
    ['agent', 'takes what nobody has', nobody, me, true],
    ['agent', 'puts back their own', me, nobody, true],
    ['agent', 'takes a colleague’s', mate, me, false],
    ['agent', 'puts back a colleague’s', mate, nobody, false],
    ['agent', 'gives their own away', me, mate, false],
    ['agent', 'gives it to a team', nobody, inTeam(nobody, 'mine'), false],
    ['agent', 'takes what lies in a team', inTeam(nobody, 'theirs'), inTeam(me, 'theirs'), true],
    ['lead', 'gives to a team member', nobody, mate, true],
    ['lead', 'gives to a stranger', nobody, stranger, false],
    ['lead', 'takes from a stranger', stranger, mate, false],
    ['lead', 'takes what a stranger has of the team’s', inTeam(stranger, 'mine'), inTeam(mate, 'mine'), true],
    ['lead', 'gives to the own team', nobody, inTeam(nobody, 'mine'), true],
    ['lead', 'gives to another team', nobody, inTeam(nobody, 'theirs'), false],
    ['lead', 'takes from another team', inTeam(nobody, 'theirs'), inTeam(nobody, 'mine'), false],
    ['manager', 'moves it anywhere', inTeam(stranger, 'theirs'), inTeam(mate, 'mine'), true],
    ['admin', 'takes it from anybody', stranger, nobody, true],
  ] as const)('%s %s', (role, _, from, to, allowed) => {
    expect(mayHandOver(who(role), from, to)).toBe(allowed);
  });

  test('a key that may only read hands nothing over', () => {
    for (const role of ROLES) expect(mayHandOver(who(role, { scopes: ['read'] }), nobody, me)).toBe(false);
  });

  const holder = fc
    .record({
      at: fc.constantFrom(nobody, me, mate, stranger),
      team: fc.constantFrom(null, 'mine', 'theirs'),
    })
    .map(({ at, team }) => inTeam(at, team));
  test('each role may do all that the one before it may', () => {
    fc.assert(
      fc.property(holder, holder, fc.integer({ min: 1, max: ROLES.length - 1 }), (from, to, nth) => {
        const [lower, higher] = [ROLES[nth - 1] as Role, ROLES[nth] as Role];
        if (mayHandOver(who(lower), from, to)) expect(mayHandOver(who(higher), from, to)).toBe(true);
      }),
    );
  });
});
