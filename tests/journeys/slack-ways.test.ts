import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { add } from '../../src/files/attachments.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { addComment } from '../../src/tickets/comments.ts';
import { addChannel, addPerson, type Message } from '../support/fake-slack-state.ts';
import { openSlackDesk, type SlackDesk, until } from '../support/slack-desk.ts';

let desk: SlackDesk;
beforeAll(async () => {
  desk = await openSlackDesk({ mode: 'nudge', env: { NOTIFY_BUNDLE_SECONDS: '0' } });
}, 60_000);
afterAll(() => desk?.close());

// biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer, and that is its type
const newest = async () => (await desk.tickets()).at(-1) as any;

describe('a channel that asks before it files', () => {
  test('asks once, files on yes, and is quiet for a while after no', async () => {
    const { people, ana, requests, slack } = desk;
    const asked = () =>
      slack.state.ephemerals.filter((one) => JSON.stringify(one.args).includes('nudge_file'));
    const ask = async (text: string): Promise<Message> => {
      await people.say(ana, requests, text);
      await desk.settle();
      const last = asked().at(-1);
      // What only one person sees is no message of the channel: Slack hands its blocks back with the press.
      return {
        type: 'message',
        ts: '1.1',
        channel: requests.id,
        text: '',
        blocks: last?.args.blocks as never,
      };
    };
    const question = await ask('My badge does not open the door');
    await people.click(ana, question, 'nudge_file');
    await desk.settle();
    expect(await newest()).toMatchObject({ title: 'My badge does not open the door' });
    const again = await ask('My locker is stuck as well');
    await people.click(ana, again, 'nudge_no');
    await desk.settle();
    const before = asked().length;
    await people.say(ana, requests, 'And the bicycle stand is full');
    await desk.settle();
    expect(asked()).toHaveLength(before);
    expect(await desk.tickets()).toHaveLength(1);
  });
});

describe('the form', () => {
  test('of an agent may name somebody else, and shared files become attachments', async () => {
    const { people, mei, ana, requests, slack, team } = desk;
    const view = await desk.form(() => people.slash(mei, requests, 'A laptop for Ana'));
    slack.state.files.set('F0FORM', {
      ...{ id: 'F0FORM', team: team.id, name: 'offer.txt', mimetype: 'text/plain' },
      ...{ bytes: Buffer.from('three hundred'), shared: true },
    });
    await people.submit(mei, view, {
      title: 'A laptop for Ana',
      requester: ana.id,
      files: { type: 'file_input', files: [{ id: 'F0FORM' }] },
      private: { type: 'checkboxes', selected_options: [{ value: 'private' }] },
    });
    await desk.settle();
    const ticket = await newest();
    expect(ticket).toMatchObject({ title: 'A laptop for Ana', private: true });
    expect(ticket.requester.name).toBe('Ana Lima');
    const { body } = await desk.staff.mei.call('GET', `tickets/${ticket.key}/attachments`);
    expect(body.items).toMatchObject([{ name: 'offer.txt' }]);
  });

  test('is drawn again with what was typed when desk or category is chosen', async () => {
    const { people, ana, requests } = desk;
    const view = await desk.form(() => people.slash(ana, requests, 'Chairs'));
    const filled = {
      ...view,
      state: {
        values: {
          title: { value: { type: 'plain_text_input', value: 'Chairs and tables' } },
          category: { form_category: { type: 'static_select', selected_option: { value: 'billing' } } },
        },
      },
    };
    const redrawn = await desk.form(() => people.click(ana, filled as never, 'form_category'));
    expect(redrawn.id).toBe(view.id);
    const drawn = JSON.stringify(redrawn.blocks);
    expect(drawn).toContain('Chairs and tables');
    expect(drawn).toContain('"initial_option":{"text":{"type":"plain_text","text":"Billing"');
  });
});

describe('what is no request', () => {
  test('is closed with a reason that its requester reads', async () => {
    const { people, mei } = desk;
    const { body } = await desk.world.call('POST', '/api/v1/tickets', {
      as: await desk.world.admin(),
      body: { title: 'Lunch?' },
    });
    await desk.settle();
    const view = await desk.form(() =>
      people.click(mei, desk.card(body.key), 'ticket_more', { selected_option: { value: 'refuse' } }),
    );
    await people.submit(mei, view, { text: 'We do not cook' });
    await desk.settle();
    expect((await desk.staff.mei.call('GET', `tickets/${body.id}`)).body.status).toBe('closed');
    expect(JSON.stringify(desk.card(body.key).blocks)).toContain('ticket_reopen');
  });
});

describe('answers below a direct message', () => {
  test('belong to the ticket that it was about', async () => {
    const { people, ana, requests, team } = desk;
    const view = await desk.form(() => people.slash(ana, requests, ''));
    await people.submit(ana, view, { title: 'By direct message' });
    await desk.settle();
    const { key } = await newest();
    await desk.staff.mei.call('POST', `tickets/${key}/comments`, {
      content: 'Which colour?',
      is_internal: false,
    });
    const im = () => [...team.channels.values()].find((one) => one.name === `im-${ana.id}`);
    await until('she is asked', async () => {
      await desk.settle();
      return JSON.stringify(im()?.messages ?? []).includes('Which colour?');
    });
    const question = im()?.messages.findLast((one) =>
      JSON.stringify(one).includes('Which colour?'),
    ) as Message;
    const before = (await desk.tickets()).length;
    await people.say(ana, im() as never, 'Blue, please', { thread: question.ts });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${key}/comments`);
    expect(body.items.at(-1)).toMatchObject({ content: 'Blue, please', author: { name: 'Ana Lima' } });
    expect(await desk.tickets()).toHaveLength(before);
  });
});

describe('people of another workspace', () => {
  test('are contacts in a shared channel, whatever their address says there', async () => {
    const { people, mei, slack, team } = desk;
    const other = slack.team('Partner');
    const kim = addPerson(slack.state, other, 'Kim Partner', { email: 'mei@company.example' });
    const shared = addChannel(slack.state, team, 'shared', [mei, kim], { shared: true });
    const root = await people.say(kim, shared, 'We cannot reach your interface');
    await people.react(kim, shared, root.ts, 'ticket');
    await people.react(kim, shared, root.ts, 'eyes');
    await desk.settle();
    const ticket = await newest();
    expect(ticket).toMatchObject({ title: 'We cannot reach your interface', assignee_id: null });
    expect(ticket.requester).toMatchObject({ kind: 'contact' });
    const identity = await mongoose.connection.collection('identities').findOne({ externalId: kim.id });
    expect(identity).toMatchObject({ proof: 'none', person: { kind: 'contact' } });
  });
});

describe('a mention by an agent', () => {
  test('makes the colleague a watcher, and files said with a reply go along', async () => {
    const { people, mei, sam, ana, requests } = desk;
    await people.slash(sam, requests, 'mine');
    const root = await people.say(ana, requests, 'The projector is dark');
    await people.react(ana, requests, root.ts, 'ticket');
    await desk.settle();
    const { key } = await newest();
    await people.say(mei, requests, `<@${sam.id}> can you look?`, { thread: root.ts });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${key}`);
    expect(JSON.stringify(body.watchers ?? body.watcher_ids)).toContain(desk.staff.sam.id);
    const ctx = systemCtx({ log: openLog('silent') }, FIRST_COMPANY);
    const file = await add(ctx, key, {
      name: 'howto.txt',
      bytes: Readable.from([Buffer.from('press the button')]),
    });
    await addComment(ctx, key, { content: 'See the file', isInternal: false, attachments: [file.id] });
    await desk.settle();
    const shared = desk.read(requests, root.ts).find((one) => one.files && one.bot_id);
    expect(shared?.files).toMatchObject([{ name: 'howto.txt', size: 16 }]);
  });
});

describe('whoever brings the bot into a channel', () => {
  test('hears alone what it is good for there', async () => {
    const { people, mei, sam, team, slack } = desk;
    const place = addChannel(slack.state, team, 'new-place', [mei, sam]);
    const joined = { type: 'member_joined_channel', user: team.botUser, channel: place.id };
    await people.event(team, { ...joined, inviter: mei.id });
    await people.event(team, joined);
    await desk.settle();
    expect(desk.told(mei)).toContain(place.id);
    expect(desk.told(sam)).not.toContain(place.id);
    expect(place.messages).toHaveLength(0);
  });
});
