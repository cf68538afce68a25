// A Switchboard with a Slack beside it: one workspace with an agent, a customer without an account, a guest, a triage
// channel and a request channel. Everything goes over the wire: signed HTTP in, Web API out.
import { setTimeout as pause } from 'node:timers/promises';
import { systemCtx } from '../../src/context.ts';
import { settleInbox } from '../../src/inbox.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { bindChannel } from '../../src/places/channels.ts';
import { channelInput } from '../../src/places/place.ts';
import { type FakeSlack, startFakeSlack } from './fake-slack.ts';
import { livePeople, type People } from './fake-slack-people.ts';
import {
  addChannel,
  addPerson,
  type Channel,
  type Json,
  type Message,
  type Person,
  type Team,
  type View,
} from './fake-slack-state.ts';
import { type Person as Colleague, hire } from './staff.ts';
import { openWorld, type World } from './world.ts';

export const SECRET = '8f742231b10e8888abcd99yyyzzz85a5';

export interface SlackDesk {
  world: World;
  slack: FakeSlack;
  people: People;
  team: Team;
  triage: Channel;
  requests: Channel;
  mei: Person;
  sam: Person;
  ana: Person;
  guest: Person;
  staff: { mei: Colleague; sam: Colleague };
  /** Waits until all that was set in motion is done. */
  settle: () => Promise<void>;
  /** What a person alone was told last, as one text. */
  told: (who: Person) => string;
  /** Does something and waits for the form that it opens (or redraws). */
  form: (deed: () => Promise<{ status: number; late: boolean }>) => Promise<View>;
  /** What stands in a channel, newest last, as text and blocks. */
  read: (channel: Channel, thread?: string) => Message[];
  card: (key: string) => Message;
  tickets: () => Promise<Json[]>;
  close: () => Promise<void>;
}

export interface SlackDeskOptions {
  mode?: 'manual' | 'auto' | 'nudge';
  env?: Record<string, string>;
  /** Socket Mode instead of HTTP. */
  socket?: boolean;
}

const flat = (value: unknown): string => JSON.stringify(value);

export async function openSlackDesk({
  mode = 'manual',
  env = {},
  socket = false,
}: SlackDeskOptions = {}): Promise<SlackDesk> {
  const slack = await startFakeSlack();
  const team = slack.team('Acme');
  const { state } = slack;
  const mei = addPerson(state, team, 'Mei Chen', { email: 'mei@company.example' });
  const sam = addPerson(state, team, 'Sam Okoro', { email: 'sam@company.example' });
  const ana = addPerson(state, team, 'Ana Lima', { email: 'ana@company.com' });
  const guest = addPerson(state, team, 'Gus Guest', { email: 'mei@company.example', guest: true });
  const everybody = [mei, sam, ana, guest];
  const triage = addChannel(state, team, 'triage', [mei, sam], { kind: 'private' });
  const requests = addChannel(state, team, 'help', everybody);
  const world = await openWorld({
    roles: 'api,worker,slack',
    env: {
      SLACK_SIGNING_SECRET: SECRET,
      SLACK_BOT_TOKEN: team.token,
      SLACK_API_URL: slack.apiUrl,
      PUBLIC_URL: 'https://desk.example',
      ...(socket ? { SLACK_APP_TOKEN: 'xapp-test' } : {}),
      ...env,
    },
  });
  const people = livePeople(slack, {
    door: socket ? undefined : `${world.url}/slack/events`,
    secret: SECRET,
  });
  const admin = await world.admin();
  const staff = { mei: await hire(world, 'Mei', 'agent'), sam: await hire(world, 'Sam', 'agent') };
  const ctx = systemCtx({ log: openLog('silent') }, FIRST_COMPANY);
  const workspace = `slack:${team.id}`;
  await bindChannel(ctx, workspace, triage.id, channelInput.parse({ role: 'triage' }));
  await bindChannel(ctx, workspace, requests.id, channelInput.parse({ role: 'requests', mode }));

  const settle = async (): Promise<void> => {
    for (let round = 0; round < 3; round += 1) {
      await settleInbox();
      await world.drain();
    }
  };
  const desk: SlackDesk = {
    world,
    slack,
    people,
    team,
    triage,
    requests,
    mei,
    sam,
    ana,
    guest,
    staff,
    settle,
    told(who) {
      const answers = state.answers.filter((one) => one.user === who.id).map((one) => flat(one.body));
      const alone = state.ephemerals.filter((one) => one.user === who.id).map((one) => flat(one.args));
      const im = [...team.channels.values()].find((one) => one.name === `im-${who.id}`);
      return [...answers, ...alone, ...(im?.messages ?? []).filter((one) => one.bot_id).map(flat)].join('\n');
    },
    async form(deed) {
      const before = new Set([...state.views.values()].map((view) => view.hash));
      const answered = await deed();
      if (answered.status !== 200 || answered.late) throw new Error(`answered ${JSON.stringify(answered)}`);
      let opened: View | undefined;
      await until('a form is opened', () => {
        opened = [...state.views.values()].find((view) => !before.has(view.hash));
        return opened !== undefined;
      });
      return opened as View;
    },
    read: (channel, thread) =>
      thread === undefined
        ? channel.messages
        : channel.messages.filter((one) => one.thread_ts === thread && one.ts !== thread),
    card(key) {
      const found = triage.messages.filter(
        (one) => one.bot_id && flat(one.blocks ?? '').includes(key) && (one.thread_ts ?? one.ts) === one.ts,
      );
      if (found.length !== 1) throw new Error(`${found.length} cards of ${key} in triage`);
      return found[0] as Message;
    },
    async tickets() {
      const { body } = await world.call('GET', '/api/v1/tickets?sort_by=created_at&order=asc&page_size=100', {
        as: admin,
      });
      return body.items;
    },
    async close() {
      await settle();
      await world.close();
      await slack.stop();
    },
  };
  return desk;
}

/** Polls until a thing is so; for what another process or a timer does. */
export async function until(
  what: string,
  is: () => boolean | Promise<boolean>,
  patienceMs = 30_000,
): Promise<void> {
  for (const end = Date.now() + patienceMs; Date.now() < end; await pause(20)) if (await is()) return;
  throw new Error(`never happened: ${what}`);
}
