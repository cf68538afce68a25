import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemCtx } from '../../src/context.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { bindChannel } from '../../src/places/channels.ts';
import { channelInput } from '../../src/places/place.ts';
import { addChannel, addPerson, type Message } from '../support/fake-slack-state.ts';
import { openSlackDesk, type SlackDesk, until } from '../support/slack-desk.ts';

let desk: SlackDesk;
beforeAll(async () => {
  desk = await openSlackDesk({ env: { NOTIFY_BUNDLE_SECONDS: '0' } });
}, 60_000);
afterAll(() => desk?.close());

async function filedFrom(text: string): Promise<{ root: Message; key: string }> {
  const root = await desk.people.say(desk.ana, desk.requests, text);
  await desk.people.react(desk.ana, desk.requests, root.ts, 'ticket');
  await desk.settle();
  return { root, key: String((await desk.tickets()).at(-1)?.key) };
}
async function attach(key: string, name: string, isInternal = false): Promise<string> {
  const form = new FormData();
  if (isInternal) form.set('is_internal', 'true');
  form.set('file', new Blob([`the bytes of ${name}`], { type: 'text/plain' }), name);
  const { body, status } = await desk.staff.mei.upload(`tickets/${key}/attachments`, form);
  if (status !== 201) throw new Error(JSON.stringify(body));
  await desk.settle();
  return body.id ?? body.items[0].id;
}
const namesIn = (messages: Message[]): unknown[] =>
  messages.filter((one) => one.bot_id).flatMap((one) => (one.files ?? []).map((file) => file.name));

describe('a file that comes without words', () => {
  test('goes to the thread and to the agents’ thread, once, and with its name', async () => {
    const { root, key } = await filedFrom('The contract is missing');
    await attach(key, 'contract.txt');
    const thread = desk.read(desk.requests, root.ts);
    expect(namesIn(thread)).toEqual(['contract.txt']);
    expect(JSON.stringify(thread)).toContain('Mei added the file contract.txt');
    expect(namesIn(desk.read(desk.triage, desk.card(key).ts))).toEqual(['contract.txt']);
  });

  test('does not go again with words that name it later', async () => {
    const { root, key } = await filedFrom('The plan is missing');
    const id = await attach(key, 'plan.txt');
    await desk.staff.mei.call('POST', `tickets/${key}/comments`, {
      content: 'Here is the plan',
      is_internal: false,
      attachment_ids: [id],
    });
    await desk.settle();
    const thread = desk.read(desk.requests, root.ts);
    expect(namesIn(thread)).toEqual(['plan.txt']);
    expect(JSON.stringify(thread)).toContain('Here is the plan');
  });

  test('is not carried to the requester when it is internal', async () => {
    const { root, key } = await filedFrom('The budget is missing');
    await attach(key, 'salaries.txt', true);
    expect(JSON.stringify(desk.read(desk.requests, root.ts))).not.toContain('salaries');
    expect(namesIn(desk.read(desk.triage, desk.card(key).ts))).toEqual(['salaries.txt']);
    expect(desk.told(desk.ana)).not.toContain('salaries');
  });

  test('from Slack is not sent back to where it came from', async () => {
    const { root, key } = await filedFrom('The map is missing');
    await desk.people.say(desk.ana, desk.requests, '', {
      thread: root.ts,
      files: [{ name: 'map.txt', mimetype: 'text/plain', bytes: Buffer.from('a map') }],
    });
    await desk.settle();
    expect(namesIn(desk.read(desk.requests, root.ts))).toEqual([]);
    expect(namesIn(desk.read(desk.triage, desk.card(key).ts))).toEqual(['map.txt']);
  });

  test('that Slack does not take is told of in the thread', async () => {
    const { root, key } = await filedFrom('The key is missing');
    desk.slack.fail(/files\.getUploadURLExternal/, { status: 500 }, 6);
    await attach(key, 'key.txt');
    expect(JSON.stringify(desk.read(desk.requests, root.ts))).toContain('Slack did not take key.txt');
    for (const fault of desk.slack.state.faults) fault.left = 0;
  });
});

describe('the mark on the message', () => {
  test('follows the state, and costs a call only when it changes', async () => {
    const { root, key } = await filedFrom('Mark my words');
    const mine = () =>
      (root.reactions ?? []).filter((one) => one.users.includes(desk.team.botUser)).map((one) => one.name);
    expect(mine()).toEqual(['ticket']);
    const calls = () =>
      desk.slack.calls('reactions.add').length + desk.slack.calls('reactions.remove').length;
    const updates = () =>
      desk.slack.calls('chat.update').filter((one) => one.args.channel === desk.requests.id);
    const [before, drawn] = [calls(), updates().length];
    await desk.staff.mei.call('PATCH', `tickets/${key}`, { tags: ['quiet'] });
    await desk.settle();
    expect([calls(), updates().length]).toEqual([before, drawn]);
    await desk.staff.mei.call('POST', `tickets/${key}/resolve`, { resolution_notes: 'Marked' });
    await desk.settle();
    expect(mine()).toEqual(['white_check_mark']);
    expect(calls()).toBe(before + 2);
  });
});

describe('a channel that wants no notices', () => {
  test('hears what people say and nothing else; who asked hears the rest alone', async () => {
    const ctx = systemCtx({ log: openLog('silent') }, FIRST_COMPANY);
    await bindChannel(
      ctx,
      `slack:${desk.team.id}`,
      desk.requests.id,
      channelInput.parse({ role: 'requests', silent: true }),
    );
    const { root, key } = await filedFrom('Please be quiet');
    expect(desk.read(desk.requests, root.ts)).toEqual([]);
    expect(desk.told(desk.ana)).toContain('Filed:');
    await desk.staff.mei.call('POST', `tickets/${key}/comments`, { content: 'Psst', is_internal: false });
    await attach(key, 'finger.txt');
    await desk.settle();
    expect(JSON.stringify(desk.read(desk.requests, root.ts))).toContain('Psst');
    expect(namesIn(desk.read(desk.requests, root.ts))).toEqual(['finger.txt']);
    expect(desk.told(desk.ana)).not.toContain('Psst');
    await desk.staff.mei.call('POST', `tickets/${key}/resolve`, { resolution_notes: 'Hushed' });
    await until('she is told directly', async () => {
      await desk.settle();
      return desk.told(desk.ana).includes('Hushed') && desk.told(desk.ana).includes('ticket_reopen');
    });
    expect(JSON.stringify(desk.read(desk.requests, root.ts))).not.toContain('Hushed');
    expect(JSON.stringify(desk.read(desk.requests, root.ts))).not.toContain('ticket_rate');
  });
});

describe('where Slack says little', () => {
  test('a request is filed all the same, and whoever wrote it is nobody in particular', async () => {
    const ctx = systemCtx({ log: openLog('silent') }, FIRST_COMPANY);
    const { slack, team, people } = desk;
    const quiet = addChannel(slack.state, team, 'quiet', []);
    const settings = channelInput.parse({ role: 'requests', mode: 'auto' });
    await bindChannel(ctx, `slack:${team.id}`, quiet.id, settings);
    const tim = addPerson(slack.state, team, 'Tim', { email: 'mei@company.example' });
    slack.fail(/users\.info/, { error: 'user_not_visible' }, 100);
    slack.fail(/conversations\.(replies|history|info)|reactions\./, { error: 'missing_scope' }, 100);
    const root = await people.say(tim, quiet, 'The lift is stuck between two floors');
    await desk.settle();
    for (const fault of slack.state.faults) fault.left = 0;
    const found = (await desk.tickets()).filter((one) => one.title === root.text);
    expect(found).toMatchObject([{ requester: { kind: 'contact' } }]);
    expect(JSON.stringify(desk.read(quiet, root.ts))).toContain(String(found[0]?.key));
  });
});
