// The people of the fake Slack: they type, click, submit, react and install, and Slack carries it to the app under
// test by signed HTTP or by Socket Mode, with its 3-second clock and its retries.
import { createHmac } from 'node:crypto';
import type { FakeSlack } from './fake-slack.ts';
import { describeFile } from './fake-slack-api.ts';
import { initialState, stateOf } from './fake-slack-blocks.ts';
import {
  addChannel,
  type Channel,
  findMessage,
  type Json,
  type Message,
  newTs,
  next,
  type Person,
  postInto,
  type Team,
  type View,
} from './fake-slack-state.ts';

export interface Carried {
  status: number;
  ms: number;
  late: boolean;
  text: string;
  json: Json | undefined;
}
export interface Posting {
  at?: number;
  signature?: string;
  secret?: string;
  headers?: Record<string, string>;
}

export interface Desk {
  /** The app's door, e.g. http://127.0.0.1:1234/slack/events; undefined means Socket Mode. */
  door: string | undefined;
  secret: string;
}

export interface People {
  post: (kind: 'form' | 'json', body: string, posting?: Posting) => Promise<Carried>;
  slash: (who: Person, channel: Channel, text: string) => Promise<Carried>;
  event: (team: Team, event: Json, more?: { id?: string; retries?: number }) => Promise<Carried>;
  say: (
    who: Person,
    channel: Channel,
    text: string,
    more?: { thread?: string; files?: { name: string; mimetype: string; bytes: Buffer }[]; silent?: boolean },
  ) => Promise<Message>;
  edit: (who: Person, channel: Channel, ts: string, text: string) => Promise<Carried>;
  remove: (who: Person, channel: Channel, ts: string) => Promise<Carried>;
  react: (who: Person, channel: Channel, ts: string, name: string) => Promise<Carried>;
  click: (who: Person, where: Message | View, action: string, value?: Json) => Promise<Carried>;
  submit: (who: Person, view: View, values: Record<string, Json | string>) => Promise<Carried>;
  shortcut: (who: Person, callback: string, on?: { channel: Channel; message: Message }) => Promise<Carried>;
  home: (who: Person) => Promise<Carried>;
  dm: (who: Person, text: string) => Promise<Message>;
}

export const sign = (secret: string, at: number, body: string): string =>
  `v0=${createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex')}`;

export function livePeople(slack: FakeSlack, desk: Desk): People {
  const { state } = slack;
  const teamOf = (id: string): Team => {
    const team = state.teams.get(id);
    if (!team) throw new Error(`no team ${id}`);
    return team;
  };

  async function post(kind: 'form' | 'json', body: string, posting: Posting = {}): Promise<Carried> {
    const at = posting.at ?? Math.floor(Date.now() / 1000);
    const started = performance.now();
    const response = await fetch(String(desk.door), {
      method: 'POST',
      headers: {
        'content-type': kind === 'json' ? 'application/json' : 'application/x-www-form-urlencoded',
        'x-slack-request-timestamp': String(at),
        'x-slack-signature': posting.signature ?? sign(posting.secret ?? desk.secret, at, body),
        ...posting.headers,
      },
      body,
    });
    const text = await response.text();
    const ms = performance.now() - started;
    let json: Json | undefined;
    try {
      json = JSON.parse(text) as Json;
    } catch {
      json = undefined;
    }
    return { status: response.status, ms, late: ms > 3000, text, json };
  }

  async function overSocket(kind: string, payload: Json): Promise<Carried> {
    const started = performance.now();
    const answer = await slack.socket.send(kind, payload);
    const ms = performance.now() - started;
    const json = answer?.payload as Json | undefined;
    return { status: answer ? 200 : 0, ms, late: !answer, text: JSON.stringify(json ?? ''), json };
  }

  const carry = {
    event: (body: Json, headers?: Record<string, string>): Promise<Carried> =>
      desk.door
        ? post('json', JSON.stringify(body), { headers: headers ?? {} })
        : overSocket('events_api', body),
    form: (fields: Record<string, string>): Promise<Carried> =>
      desk.door ? post('form', new URLSearchParams(fields).toString()) : overSocket('slash_commands', fields),
    payload: (body: Json): Promise<Carried> =>
      desk.door
        ? post('form', new URLSearchParams({ payload: JSON.stringify(body) }).toString())
        : overSocket('interactive', body),
  };

  function newTrigger(who: Person, team: string): string {
    const id = `${next(state, '9')}.${newTs()}`;
    state.triggers.set(id, { team, user: who.id, at: Date.now(), used: false });
    return id;
  }
  function newAnswerDoor(who: Person, team: string, channel: string, ts?: string): string {
    const id = next(state, 'R');
    state.answerDoors.set(id, {
      team,
      user: who.id,
      channel,
      at: Date.now(),
      uses: 0,
      ...(ts ? { ts } : {}),
    });
    return `${state.url}/response/${id}`;
  }
  /** The workspace whose app is spoken to: that of the channel, which Slack Connect may share with strangers. */
  const hostOf = (channel: Channel): Team => {
    for (const team of state.teams.values()) if (team.channels.has(channel.id)) return team;
    throw new Error(`no team has ${channel.id}`);
  };

  async function event(
    team: Team,
    inner: Json,
    more: { id?: string; retries?: number } = {},
  ): Promise<Carried> {
    const body = {
      token: 'legacy',
      team_id: team.id,
      api_app_id: state.appId,
      event: inner,
      type: 'event_callback',
      event_id: more.id ?? next(state, 'Ev'),
      event_time: Math.floor(Date.now() / 1000),
      authorizations: [
        {
          enterprise_id: null,
          team_id: team.id,
          user_id: team.botUser,
          is_bot: true,
          is_enterprise_install: false,
        },
      ],
    };
    let carried = await carry.event(body);
    for (
      let retry = 1;
      retry <= (more.retries ?? 3) && (carried.status !== 200 || carried.late);
      retry += 1
    ) {
      if (more.retries === undefined) break;
      carried = await carry.event(body, {
        'x-slack-retry-num': String(retry),
        'x-slack-retry-reason': carried.late ? 'http_timeout' : 'http_error',
      });
    }
    return carried;
  }

  const messageEvent = (who: Person, channel: Channel, message: Message): Json => ({
    type: 'message',
    channel: channel.id,
    channel_type: channel.kind === 'im' ? 'im' : channel.kind === 'private' ? 'group' : 'channel',
    user: who.id,
    team: who.team,
    text: message.text,
    ts: message.ts,
    event_ts: message.ts,
    ...(message.thread_ts && message.thread_ts !== message.ts ? { thread_ts: message.thread_ts } : {}),
    ...(message.files ? { files: message.files, subtype: 'file_share' } : {}),
    ...(who.bot ? { bot_id: 'B0OTHER', subtype: 'bot_message' } : {}),
  });

  const people: People = {
    post,
    event,
    slash: (who, channel, text) => {
      const team = hostOf(channel);
      return carry.form({
        token: 'legacy',
        team_id: team.id,
        team_domain: team.domain,
        channel_id: channel.id,
        channel_name: channel.name,
        user_id: who.id,
        user_name: who.name,
        command: '/ticket',
        text,
        api_app_id: state.appId,
        is_enterprise_install: 'false',
        response_url: newAnswerDoor(who, team.id, channel.id),
        trigger_id: newTrigger(who, team.id),
      });
    },
    async say(who, channel, text, more = {}) {
      const team = hostOf(channel);
      const files = more.files?.map((file) => {
        const id = next(state, 'F');
        state.files.set(id, { id, team: team.id, shared: true, ...file });
        return describeFile(state, id);
      });
      const message = postInto(channel, {
        text,
        user: who.id,
        team: who.team,
        ...(more.thread ? { thread_ts: more.thread } : {}),
        ...(files ? { files } : {}),
      });
      if (!more.silent && channel.members.has(team.botUser)) {
        const carried = await event(team, messageEvent(who, channel, message));
        if (carried.status !== 200) throw new Error(`the app answered ${carried.status}`);
        if (text.includes(`<@${team.botUser}>`) && channel.kind !== 'im')
          await event(team, {
            ...messageEvent(who, channel, message),
            type: 'app_mention',
            subtype: undefined,
          });
      }
      return message;
    },
    edit(who, channel, ts, text) {
      const message = findMessage(channel, ts);
      if (!message) throw new Error('no such message');
      const previous = { ...message };
      Object.assign(message, { text, edited: { user: who.id, ts: newTs() } });
      return event(hostOf(channel), {
        type: 'message',
        subtype: 'message_changed',
        channel: channel.id,
        channel_type: channel.kind === 'im' ? 'im' : 'channel',
        message: { ...message },
        previous_message: previous,
        ts: newTs(),
        event_ts: newTs(),
      });
    },
    remove(_who, channel, ts) {
      const message = findMessage(channel, ts);
      if (!message) throw new Error('no such message');
      channel.messages.splice(channel.messages.indexOf(message), 1);
      return event(hostOf(channel), {
        type: 'message',
        subtype: 'message_deleted',
        channel: channel.id,
        channel_type: channel.kind === 'im' ? 'im' : 'channel',
        deleted_ts: ts,
        previous_message: message,
        ts: newTs(),
        event_ts: newTs(),
      });
    },
    react(who, channel, ts, name) {
      const message = findMessage(channel, ts);
      if (message) {
        message.reactions ??= [];
        const reaction = message.reactions.find((one) => one.name === name);
        if (reaction) reaction.users.push(who.id);
        else message.reactions.push({ name, users: [who.id] });
      }
      return event(hostOf(channel), {
        type: 'reaction_added',
        user: who.id,
        reaction: name,
        item_user: message?.user,
        item: { type: 'message', channel: channel.id, ts },
        event_ts: newTs(),
      });
    },
    click(who, where, action, value = {}) {
      const blocks = (where.blocks ?? []) as Json[];
      for (const block of blocks) {
        const elements = [
          ...((block.elements ?? []) as Json[]),
          ...(block.accessory ? [block.accessory as Json] : []),
          ...(block.element ? [block.element as Json] : []),
        ];
        const element = elements.find((one) => one.action_id === action);
        if (!element) continue;
        const isView = where.type === 'modal' || where.type === 'home';
        const channel = isView ? undefined : String((where as Message).channel);
        const host = isView
          ? teamOf((where as View).team)
          : ([...state.teams.values()].find((team) => team.channels.has(String(channel))) as Team);
        return carry.payload({
          type: 'block_actions',
          api_app_id: state.appId,
          token: 'legacy',
          team: { id: host.id, domain: host.domain },
          user: { id: who.id, username: who.name, name: who.name, team_id: who.team },
          trigger_id: newTrigger(who, host.id),
          actions: [
            {
              type: element.type,
              action_id: action,
              block_id: block.block_id ?? 'b0',
              action_ts: newTs(),
              ...(element.value === undefined ? {} : { value: element.value }),
              ...value,
            },
          ],
          ...(isView
            ? { view: where, container: { type: 'view', view_id: (where as View).id } }
            : {
                channel: { id: channel, name: host.channels.get(String(channel))?.name },
                message: where,
                container: { type: 'message', message_ts: (where as Message).ts, channel_id: channel },
                response_url: newAnswerDoor(who, host.id, String(channel), (where as Message).ts),
              }),
        });
      }
      throw new Error(`nothing to click: ${action} in ${JSON.stringify(blocks).slice(0, 2000)}`);
    },
    async submit(who, view, values) {
      const filled: Record<string, Json> = {};
      for (const block of view.blocks) {
        if (block.type !== 'input') continue;
        const element = block.element as Json;
        const id = String(block.block_id);
        const given = values[id];
        filled[id] = {
          [String(element.action_id)]: given === undefined ? initialState(element) : stateOf(element, given),
        };
      }
      for (const id of Object.keys(values)) if (!filled[id]) throw new Error(`the modal has no field ${id}`);
      const host = teamOf(view.team);
      return carry.payload({
        type: 'view_submission',
        api_app_id: state.appId,
        token: 'legacy',
        team: { id: host.id, domain: host.domain },
        user: { id: who.id, username: who.name, name: who.name, team_id: who.team },
        trigger_id: newTrigger(who, host.id),
        view: { ...view, state: { values: filled } },
        response_urls: [],
      });
    },
    shortcut(who, callback, on) {
      const team = on ? hostOf(on.channel) : teamOf(who.team);
      return carry.payload({
        type: on ? 'message_action' : 'shortcut',
        api_app_id: state.appId,
        token: 'legacy',
        callback_id: callback,
        action_ts: newTs(),
        trigger_id: newTrigger(who, team.id),
        team: { id: team.id, domain: team.domain },
        user: { id: who.id, username: who.name, name: who.name, team_id: who.team },
        ...(on
          ? {
              channel: { id: on.channel.id, name: on.channel.name },
              message: on.message,
              message_ts: on.message.ts,
              response_url: newAnswerDoor(who, team.id, on.channel.id),
            }
          : {}),
      });
    },
    home: (who) =>
      event(teamOf(who.team), {
        type: 'app_home_opened',
        user: who.id,
        channel: 'D0HOME',
        tab: 'home',
        event_ts: newTs(),
      }),
    async dm(who, text) {
      const team = teamOf(who.team);
      const name = `im-${who.id}`;
      let channel = [...team.channels.values()].find((one) => one.name === name);
      if (!channel) {
        channel = addChannel(state, team, name, [who], { kind: 'im' });
      }
      return people.say(who, channel, text);
    },
  };
  return people;
}
