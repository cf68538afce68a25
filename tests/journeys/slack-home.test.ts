import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { controls } from '../support/fake-slack-blocks.ts';
import type { View } from '../support/fake-slack-state.ts';
import { openSlackDesk, type SlackDesk, until } from '../support/slack-desk.ts';

let desk: SlackDesk;
beforeAll(async () => {
  desk = await openSlackDesk();
}, 60_000);
afterAll(() => desk?.close());

const NASTY = '<!channel> <@U1> <https://evil.example|bank> @everyone <@&1> [x](javascript:1) \u202E';

describe('ways in', () => {
  test('the message shortcut opens a form with the message in it, and files it into its thread', async () => {
    const { people, ana, requests } = desk;
    const message = await people.say(ana, requests, 'The *gate* is stuck');
    const view = await desk.form(() =>
      people.shortcut(ana, 'ticket_from_message', { channel: requests, message }),
    );
    expect(JSON.stringify(view.blocks)).toContain('The gate is stuck');
    expect(JSON.stringify(view.blocks)).toContain('/archives/');
    await people.submit(ana, view, {});
    await desk.settle();
    expect(await desk.tickets()).toHaveLength(1);
    await people.shortcut(ana, 'ticket_from_message', { channel: requests, message });
    await until('they hear that it is a ticket already', () =>
      desk.told(ana).includes('This thread is a ticket already'),
    );
  });

  test('the global shortcut and the home tab open an empty form', async () => {
    const { people, ana, slack } = desk;
    const view = await desk.form(() => people.shortcut(ana, 'ticket_new'));
    expect(view.callback_id).toBe('ticket_form');
    await people.home(ana);
    await desk.settle();
    const home = slack.state.homes.get(ana.id);
    expect(JSON.stringify(home?.blocks)).toContain('The gate is stuck');
    const again = await desk.form(() => people.click(ana, home as never, 'home_new'));
    expect(again.callback_id).toBe('ticket_form');
  });

  test('a direct message is a private ticket, a greeting is answered', async () => {
    const { people, ana } = desk;
    await people.dm(ana, 'hello');
    await desk.settle();
    expect(desk.told(ana)).toContain('open a private ticket');
    await people.dm(ana, 'My salary was not paid');
    await desk.settle();
    expect((await desk.tickets()).at(-1)).toMatchObject({ title: 'My salary was not paid', private: true });
  });

  test('a mention files the thread it stands in', async () => {
    const { people, ana, sam, requests, team } = desk;
    const root = await people.say(ana, requests, 'Heating is off on floor two');
    await people.say(sam, requests, `<@${team.botUser}>`, { thread: root.ts });
    await desk.settle();
    expect((await desk.tickets()).at(-1)).toMatchObject({ title: 'Heating is off on floor two' });
  });

  test('a guest becomes a contact, whatever their address says', async () => {
    const { people, guest, requests } = desk;
    const root = await people.say(guest, requests, 'I am a guest and need help');
    await people.react(guest, requests, root.ts, 'ticket');
    await desk.settle();
    const ticket = (await desk.tickets()).at(-1) as { requester: { kind: string; id: string } };
    expect(ticket.requester.kind).toBe('contact');
    expect(ticket.requester.id).not.toBe(desk.staff.mei.id);
    await people.slash(guest, requests, 'queue');
    await desk.settle();
    expect(desk.told(guest)).not.toContain('salary');
  });

  test('a workflow step files a ticket and hands on its key', async () => {
    const { people, ana, team, slack } = desk;
    const step = (inputs: object, id: string) =>
      people.event(team, {
        type: 'function_executed',
        function: { callback_id: 'create_ticket' },
        function_execution_id: id,
        inputs,
      });
    await step({ title: 'From a workflow', requester: ana.id, priority: 'P2' }, 'Fx1');
    await desk.settle();
    expect((await desk.tickets()).at(-1)).toMatchObject({ title: 'From a workflow', priority: 'high' });
    await step({ title: '' }, 'Fx2');
    await step({ title: 'On no desk', desk: 'NONE' }, 'Fx3');
    await step(
      {
        title: `A *laptop* for <@${ana.id}> &amp; me`,
        description: 'see <https://desk.example/faq|this>',
        private: true,
      },
      'Fx4',
    );
    await people.event(team, { type: 'function_executed', function: { callback_id: 'another' }, inputs: {} });
    await desk.settle();
    expect((await desk.tickets()).at(-1)).toMatchObject({
      title: 'A laptop for @Ana Lima & me',
      description: 'see [this](https://desk.example/faq)',
      private: true,
    });
    const functions = [...slack.state.functions].sort(
      (a, b) =>
        Number(b.done) - Number(a.done) ||
        String(a.function_execution_id).localeCompare(String(b.function_execution_id)),
    );
    expect(functions).toMatchObject([
      { done: true, function_execution_id: 'Fx1', outputs: { ticket_key: expect.stringMatching(/^TKT-/) } },
      { done: true, function_execution_id: 'Fx4' },
      { done: false, function_execution_id: 'Fx2' },
      { done: false, function_execution_id: 'Fx3' },
    ]);
  });
});

describe('a shared link', () => {
  test('is shown only where its sharer may see the ticket, and never a private one', async () => {
    const { people, mei, guest, requests, team, slack } = desk;
    const all = await desk.tickets();
    const open = all.find((one) => one.title === 'The gate is stuck');
    const secret = all.find((one) => one.private === true);
    const share = (user: string, key: unknown) =>
      people.event(team, {
        type: 'link_shared',
        user,
        channel: requests.id,
        message_ts: '1.1',
        links: [{ domain: 'desk.example', url: `https://desk.example/tickets/${key}` }],
      });
    await share(mei.id, open?.key);
    await share(mei.id, secret?.key);
    await share(guest.id, open?.key);
    await share(mei.id, 'TKT-999999');
    await desk.settle();
    expect(slack.state.unfurls).toHaveLength(1);
    expect(JSON.stringify(slack.state.unfurls)).toContain('The gate is stuck');
  });
});

describe('nasty words', () => {
  test('reach Slack as words: in forms, cards, home and answers', async () => {
    const { people, ana, mei, requests, slack } = desk;
    const view = await desk.form(() => people.slash(ana, requests, ''));
    await people.submit(ana, view, { title: NASTY, description: NASTY });
    await desk.settle();
    await people.home(ana);
    await people.slash(mei, requests, 'list');
    await desk.settle();
    const allowed =
      /^<(https:\/\/desk\.example[^|<>]*(\|[^<>]*)?|https:\/\/acme\.slack\.com[^<>]*|!date\^\d+\^[^<>]*)>$/;
    const everything = [
      ...slack.state.answers.map((one) => one.body),
      ...slack.state.ephemerals.map((one) => one.args),
      ...slack.state.homes.values(),
      ...[...desk.team.channels.values()].flatMap((channel) => channel.messages.filter((one) => one.bot_id)),
    ];
    for (const one of everything) for (const sequence of controls(one)) expect(sequence).toMatch(allowed);
    expect(JSON.stringify(everything)).not.toContain('\u202E');
  });
});

describe('custom fields', () => {
  test('follow the category, are needed where they are needed, and are told at the field', async () => {
    const { people, ana, requests, world } = desk;
    const { default: mongoose } = await import('mongoose');
    const { signal } = await import('../../src/signals.ts');
    await mongoose.connection.collection('desks').updateOne(
      { key: 'TKT' },
      {
        $set: {
          customFields: [
            {
              name: 'asset',
              label: 'Asset number',
              type: 'text',
              options: [],
              requiredFor: ['technical'],
              internal: false,
            },
            {
              name: 'floor',
              label: 'Floor',
              type: 'choice',
              options: ['one', 'two'],
              requiredFor: [],
              internal: false,
            },
            {
              name: 'cost',
              label: 'Cost centre',
              type: 'text',
              options: [],
              requiredFor: [],
              internal: true,
            },
          ],
        },
      },
    );
    const found = await mongoose.connection.collection('desks').findOne({ key: 'TKT' });
    signal('stale', { kind: 'desk', id: String(found?.company) });
    const view = await desk.form(() => people.slash(ana, requests, 'A broken chair'));
    expect(JSON.stringify(view.blocks)).toContain('Asset number');
    expect(JSON.stringify(view.blocks)).not.toContain('Cost centre');
    const wrong = await people.submit(ana, view, { title: 'A broken chair', category: 'technical' });
    expect(wrong.json).toMatchObject({ errors: { 'custom_fields.asset': expect.any(String) } });
    await people.submit(
      ana,
      { ...view, hash: `${view.hash}2` },
      {
        title: 'A broken chair',
        category: 'technical',
        'custom_fields.asset': 'A-77',
        'custom_fields.floor': 'two',
      },
    );
    await desk.settle();
    expect((await desk.tickets()).at(-1)).toMatchObject({
      category: 'technical',
      custom_fields: { asset: 'A-77', floor: 'two' },
    });
    expect(world.logged.some((line) => line.msg === 'something in slack went wrong')).toBe(false);
  });
});

describe('the home tab', () => {
  test('turns its pages, says how long there is left, and shows a ticket aside', async () => {
    const { people, mei, slack, staff } = desk;
    const due = new Date(Date.now() + 3 * 3_600_000).toISOString();
    for (let at = 0; at < 13; at += 1) {
      const { body } = await desk.world.call('POST', '/api/v1/tickets', {
        as: await desk.world.admin(),
        body: { title: `Shelf ${String(at).padStart(2, '0')}`, due_date: due },
      });
      await staff.mei.call('POST', `tickets/${body.id}/claim`);
    }
    const home = () => slack.state.homes.get(mei.id) as View;
    const shown = () => [...JSON.stringify(home().blocks).matchAll(/Shelf (\d\d)/g)].map((one) => one[1]);
    await people.home(mei);
    await desk.settle();
    expect(JSON.stringify(home().blocks)).toContain('My work (13)');
    expect(JSON.stringify(home().blocks)).toMatch(/in 2 h 5\d min/);
    const first = shown();
    expect(first).toHaveLength(10);
    await people.click(mei, home(), 'home_after');
    await desk.settle();
    expect(JSON.stringify(home().blocks)).toContain('Page 2 of 2');
    expect([...new Set([...first, ...shown()])]).toHaveLength(13);
    await people.click(mei, home(), 'home_refresh');
    await desk.settle();
    expect(JSON.stringify(home().blocks)).toContain('Page 2 of 2');
    const before = desk.told(mei);
    const aside = await desk.form(() => people.click(mei, home(), 'ticket_show'));
    expect(JSON.stringify(aside.blocks)).toContain('Shelf');
    await people.click(mei, aside, 'ticket_priority', { selected_option: { value: 'urgent' } });
    await until('the modal is drawn again', () =>
      JSON.stringify(slack.state.views.get(aside.id)?.blocks).includes('Urgent'),
    );
    await desk.settle();
    const solve = await desk.form(() =>
      people.click(mei, slack.state.views.get(aside.id) as View, 'ticket_resolve'),
    );
    expect(solve.callback_id).toBe('ticket_resolve_form');
    expect(desk.told(mei)).toBe(before);
  });
});
