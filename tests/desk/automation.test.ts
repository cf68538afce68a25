// What rules do when something happens: once, in their order, all of it or nothing of it, and why if not.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { change } from '../../src/tickets/change.ts';
import { check } from '../support/checker.ts';
import { ADD, byRules, follow, history, inHand, relayed, rulesOf } from '../support/rules.ts';
import { hireStaff, openDeskOf, type Staff } from '../support/staff.ts';
import { system } from '../support/talk.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
let rules: ReturnType<typeof rulesOf>;
beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
  staff = await hireStaff(world);
  rules = rulesOf(staff);
  await openDeskOf('OPS', 'devops');
}, 60_000);
afterEach(async () => {
  await relayed();
  await rules.clear();
});
afterAll(async () => {
  expect((await check(world.config.MONGODB_URI, world.database)).problems).toEqual([]);
  await world.close();
}, 60_000);

describe('a rule', () => {
  test('does all its deeds as one change of the ticket, and says which rule it was', async () => {
    const rule = await rules.make({
      name: 'Big customers',
      if: { field: 'title', op: 'contains', value: 'smokes' },
      then: [
        ADD('fire'),
        { do: 'set', priority: 'critical', environment: 'Production' },
        { do: 'assign', assignee_id: staff.agent.id, team_id: staff.team },
        { do: 'note', text: 'Look at {{ ticket.key }}' },
        { do: 'reply', text: 'Dear {{ requester.first_name }}, we are on it.' },
      ],
    });
    const id = await rules.file({}, staff.customer);
    await relayed();
    expect(await rules.ticket(id)).toMatchObject({
      ...{ tags: ['fire'], priority: 'critical', environment: 'production', replies: 1 },
      ...{ assignee_id: staff.agent.id, team_id: staff.team, first_responded_at: null },
    });
    const written = await byRules(id);
    const [created] = await history(id);
    expect(written.map((entry) => entry.action)).toEqual([
      ...['rule_applied', 'comment_added', 'comment_added', 'update', 'update', 'priority_change'],
      'assignment_change',
    ]);
    expect(new Set(written.map((entry) => Number(entry.at))).size).toBe(1);
    for (const entry of written)
      expect(entry.facts).toMatchObject({
        rule,
        name: 'Big customers',
        rules: [rule],
        trigger: created?._id,
      });
    expect(written[0]?.notes).toContain('priority: medium → critical');
    expect(written[0]?.notes).toContain(`assignee: nothing → ${staff.agent.name}`);
    expect(written[0]?.notes).not.toMatch(/[0-9a-f]{24}/);
    expect(written.flatMap((entry) => entry.comment?.text ?? [])).toEqual([
      'Dear Carla, we are on it.',
      expect.stringMatching(/^Look at TKT-0/),
    ]);
    const { body } = await staff.customer.call('GET', `tickets/${id}/history`);
    expect(JSON.stringify(body)).not.toMatch(/rule|Big customers|Look at/);
    const [run] = await rules.runs(rule);
    expect(run).toMatchObject({ outcome: 'fired', entry_id: created?._id });
    expect((await world.call('GET', '/metrics')).body).toMatch(
      /^switchboard_rule_runs_total\{outcome="fired"\} [1-9]/m,
    );
    expect(run?.did).toEqual(
      expect.arrayContaining(['replied', 'left a note', 'priority: medium → critical']),
    );
  });

  test('that does not fire says why, with the value that it found', async () => {
    const rule = await rules.make({
      if: {
        all: [
          { field: 'priority', op: 'equals', value: 'critical' },
          { field: 'title', op: 'contains', value: 'printer' },
        ],
      },
    });
    const id = await rules.file({ priority: 'low' });
    await relayed();
    const [run, ...others] = await rules.runs(rule, `&ticket=${id}&outcome=not_matched`);
    expect(others).toEqual([]);
    expect(run?.reasons.map((one) => one.sentence)).toEqual(['priority is “low”: not “critical”']);
    expect(await byRules(id)).toEqual([]);
  });

  test('hears comments by whoever wrote them, and what was changed from what to what', async () => {
    const words = await rules.make({
      when: { events: ['comment_added'] },
      if: {
        all: [
          { field: 'comment.by', op: 'equals', value: 'requester' },
          { field: 'comment.text', op: 'contains_word', value: 'refund' },
        ],
      },
      then: [ADD('money')],
    });
    const up = await rules.make({
      when: { events: ['priority_change'] },
      if: {
        all: [
          { field: 'before.priority', op: 'at_most', value: 'medium' },
          { field: 'after.priority', op: 'at_least', value: 'high' },
        ],
      },
      then: [ADD('raised')],
    });
    const id = await rules.file({}, staff.customer);
    await staff.agent.call('POST', `tickets/${id}/comments`, { content: 'refund?', is_internal: false });
    await relayed();
    expect((await rules.ticket(id)).tags).toEqual([]);
    await staff.customer.call('POST', `tickets/${id}/comments`, { content: 'Refund!' });
    await staff.agent.call('PATCH', `tickets/${id}`, { priority: 'P1' });
    await relayed();
    expect((await rules.ticket(id)).tags).toEqual(['money', 'raised']);
    expect((await rules.runs(words)).map((run) => run.outcome)).toEqual(['fired', 'not_matched']);
    expect((await rules.runs(up)).map((run) => run.outcome)).toEqual(['fired']);
  });

  test('has nothing to do where all is so already, and leaves no trace on the ticket', async () => {
    const rule = await rules.make({ when: { events: ['created', 'update'] }, then: [ADD('vip')] });
    const id = await rules.file({ tags: ['VIP'] });
    await relayed();
    expect(await byRules(id)).toEqual([]);
    expect((await rules.runs(rule)).map((run) => run.outcome)).toEqual(['nothing_to_do']);
  });

  test('what the workflow forbids is told in the log, and the rest is done', async () => {
    const then = [{ do: 'set', status: 'escalated' }, ADD('tried')];
    const rule = await rules.make({ desk: 'OPS', then });
    const [there, elsewhere] = [await rules.file({ desk: 'OPS' }), await rules.file()];
    await relayed();
    expect(await rules.ticket(there)).toMatchObject({ status: 'new', tags: ['tried'] });
    expect((await rules.ticket(elsewhere)).tags).toEqual([]);
    const [run, ...others] = await rules.runs(rule);
    expect(others).toEqual([]);
    expect(run).toMatchObject({ outcome: 'fired', problems: [expect.stringContaining('new')] });
    const only = await rules.make({ desk: 'OPS', then: then.slice(0, 1) });
    await rules.file({ desk: 'OPS' });
    await relayed();
    expect(await rules.runs(only)).toMatchObject([{ outcome: 'failed', did: [] }]);
  });

  test('leaves imports alone, and what happened before it was switched on', async () => {
    const id = await rules.file();
    await change(system(), id, () => ({ action: 'update', set: { title: 'silent' }, silent: true }));
    const [{ ticket, entries } = { ticket: null, entries: [] }] = await inHand();
    const rule = await rules.make({ when: { events: ['any'] } });
    const old = entries.map((entry) => ({ ...entry, at: new Date(Date.now() - 60_000) }));
    if (ticket) await follow(ticket, old);
    expect(await rules.runs(rule)).toEqual([]);
  });
});

describe('several rules', () => {
  test('look at the ticket in their order, each as the one before left it; and one may stop the rest', async () => {
    await rules.make({
      name: 'third',
      position: 30,
      if: { field: 'tags', op: 'has', value: 'two' },
      then: [ADD('three')],
    });
    await rules.make({ name: 'first', position: 10, then: [ADD('one')] });
    await rules.make({
      name: 'second',
      position: 20,
      if: { field: 'tags', op: 'has', value: 'one' },
      then: [ADD('two')],
      stop_here: true,
    });
    const id = await rules.file();
    await relayed();
    expect((await rules.ticket(id)).tags).toEqual(['one', 'two']);
    expect(
      (await byRules(id)).filter((one) => one.action === 'rule_applied').map((one) => one.facts?.name),
    ).toEqual([...['first', 'second']]);
    const twin = await rules.file();
    const hand = (await inHand()).filter(({ ticket }) => ticket._id === twin);
    // As two relays do that hold the same entry at once: the later one finds all done, and stops where the other did.
    for (const { ticket, entries } of [...hand, ...hand]) await follow(ticket, entries);
    expect((await rules.ticket(twin)).tags).toEqual(['one', 'two']);
    await relayed();
    const other = await rules.make({
      position: 5,
      if: { field: 'title', op: 'equals', value: 'x' },
      then: [ADD('x')],
      stop_here: true,
    });
    const next = await rules.file();
    await relayed();
    expect((await rules.ticket(next)).tags).toEqual(['one', 'two']);
    expect(await rules.runs(other)).toMatchObject([{ outcome: 'not_matched' }]);
  });

  test('that are off, or of another desk, do nothing', async () => {
    const off = await rules.make({ enabled: false });
    const elsewhere = await rules.make({ desk: 'OPS' });
    await rules.file();
    await relayed();
    expect([await rules.runs(off), await rules.runs(elsewhere)]).toEqual([[], []]);
  });
});

describe('once', () => {
  const notes = async (id: string) => (await byRules(id)).filter((entry) => entry.comment).length;

  test('however many relays bring the same entry at the same time', async () => {
    await rules.make({
      then: [
        { do: 'note', text: 'Once.' },
        { do: 'set', priority: 'high' },
      ],
    });
    const ids = await Promise.all(Array.from({ length: 20 }, () => rules.file()));
    const held = await inHand();
    const together = held.flatMap(({ ticket, entries }) => [
      follow(ticket, entries),
      follow(ticket, entries),
    ]);
    await Promise.all([...together, relayed(3)]);
    for (const id of ids) expect(await notes(id)).toBe(1);
  });

  test('though the relay died before it struck the entry off, whatever has changed since', async () => {
    const first = await rules.make({
      if: { field: 'priority', op: 'equals', value: 'medium' },
      ...{
        then: [
          { do: 'note', text: 'Once.' },
          { do: 'set', priority: 'high' },
        ],
        stop_here: true,
      },
    });
    const second = await rules.make({ then: [ADD('second')] });
    const id = await rules.file();
    for (const { ticket, entries } of await inHand()) await follow(ticket, entries);
    await relayed();
    expect(await notes(id)).toBe(1);
    expect((await rules.ticket(id)).tags).toEqual([]);
    expect(await rules.runs(first)).toMatchObject([
      { outcome: 'fired', did: expect.arrayContaining(['left a note']) },
    ]);
    expect(await rules.runs(second)).toEqual([]);
  });

  test('on each ticket, for a rule that runs once, though much happens at the same time', async () => {
    const rule = await rules.make({
      ...{
        when: { events: ['comment_added'] },
        run_once: true,
        then: [{ do: 'note', text: 'a' }, ADD('a')],
      },
      if: { field: 'comment.by', op: 'equals', value: 'agent' },
    });
    const id = await rules.file();
    const say = (content: string) =>
      staff.agent.call('POST', `tickets/${id}/comments`, { content, is_internal: true });
    await Promise.all([say('a'), relayed(2), say('b'), say('c')]);
    await relayed();
    await change(system(), id, () => ({ action: 'update', set: { tags: [] } }));
    await say('d');
    await relayed(2);
    expect((await byRules(id)).filter((one) => one.action === 'rule_applied')).toHaveLength(1);
    expect((await rules.ticket(id)).tags).toEqual([]);
    const outcomes = (await rules.runs(rule))
      .map((run) => run.outcome)
      .sort()
      .slice(0, 4);
    expect(outcomes).toEqual(['already', 'already', 'already', 'fired']);
  });
});
