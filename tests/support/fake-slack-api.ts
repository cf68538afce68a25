// The Web API methods of the fake Slack: each takes the call and answers what Slack would, state included.
import { blocksProblem, viewProblem } from './fake-slack-blocks.ts';
import {
  addChannel,
  type Channel,
  findMessage,
  findPerson,
  type Json,
  type Message,
  newTs,
  next,
  postInto,
  publicPerson,
  type State,
  type Team,
  type View,
} from './fake-slack-state.ts';

interface Call {
  state: State;
  team: Team;
  args: Json;
}
type Method = (call: Call) => Json;

const no = (error: string, more: Json = {}): Json => ({ ok: false, error, ...more });
const parsed = (value: unknown): unknown => (typeof value === 'string' ? JSON.parse(value) : value);

function channelOf({ state, team, args }: Call): Channel | undefined {
  const id = String(args.channel ?? '');
  if (team.people.has(id)) return openIm(state, team, [id]);
  return team.channels.get(id);
}

function openIm(state: State, team: Team, users: string[]): Channel {
  const name = `im-${users.join('-')}`;
  for (const channel of team.channels.values()) if (channel.name === name) return channel;
  const people = users.flatMap((id) => team.people.get(id) ?? []);
  return addChannel(state, team, name, people, { kind: 'im' });
}

function messageProblem(args: Json): Json | undefined {
  if (args.blocks !== undefined) {
    const wrong = blocksProblem(parsed(args.blocks), 'message');
    if (wrong) return no('invalid_blocks', { response_metadata: { messages: [`[ERROR] ${wrong}`] } });
  }
  if (!args.text && !args.blocks && !args.attachments) return no('no_text');
  if (String(args.text ?? '').length > 40_000) return no('msg_too_long');
  return undefined;
}

function content(args: Json): Partial<Message> {
  return {
    text: String(args.text ?? ''),
    ...(args.blocks === undefined ? {} : { blocks: parsed(args.blocks) as Json[] }),
    ...(args.metadata === undefined ? {} : { metadata: parsed(args.metadata) as Json }),
    ...(args.username === undefined ? {} : { username: args.username }),
    ...(args.icon_url === undefined ? {} : { icon_url: args.icon_url }),
  };
}

function storeView(call: Call, raw: Json, user: string, old?: View): View {
  const view = { ...raw } as View;
  view.id = old?.id ?? next(call.state, 'V');
  view.hash = newTs();
  view.user = user;
  view.team = call.team.id;
  return view;
}

function openView(call: Call): Json {
  const trigger = call.state.triggers.get(String(call.args.trigger_id));
  if (!trigger || trigger.team !== call.team.id) return no('invalid_trigger_id');
  if (Date.now() - trigger.at > 3000) return no('expired_trigger_id');
  if (trigger.used) return no('exchanged_trigger_id');
  const raw = parsed(call.args.view) as Json;
  const wrong = viewProblem(raw);
  if (wrong) return no('invalid_arguments', { response_metadata: { messages: [`[ERROR] ${wrong}`] } });
  trigger.used = true;
  const view = storeView(call, raw, trigger.user);
  call.state.views.set(view.id, view);
  return { ok: true, view };
}

const fileOut = (state: State, id: string): Json => {
  const file = state.files.get(id);
  return {
    id,
    name: file?.name,
    title: file?.name,
    mimetype: file?.mimetype,
    size: file?.bytes.length,
    url_private: `${state.url}/files-pri/${id}/${encodeURIComponent(file?.name ?? '')}`,
    url_private_download: `${state.url}/files-pri/${id}/download/${encodeURIComponent(file?.name ?? '')}`,
  };
};
export const describeFile = fileOut;

export const METHODS: Record<string, Method> = {
  'auth.test': ({ state, team }) => ({
    ok: true,
    url: `https://${team.domain}.slack.com/`,
    team: team.name,
    team_id: team.id,
    user: 'switchboard',
    user_id: team.botUser,
    bot_id: team.botId,
    app_id: state.appId,
    is_enterprise_install: false,
  }),
  'team.info': ({ team }) => ({ ok: true, team: { id: team.id, name: team.name, domain: team.domain } }),
  'bots.info': ({ state, team }) => ({
    ok: true,
    bot: { id: team.botId, app_id: state.appId, user_id: team.botUser, name: 'switchboard' },
  }),
  'chat.postMessage': (call) => {
    const channel = channelOf(call);
    if (!channel) return no('channel_not_found');
    if (!channel.members.has(call.team.botUser) && channel.kind !== 'im') return no('not_in_channel');
    const wrong = messageProblem(call.args);
    if (wrong) return wrong;
    const thread = call.args.thread_ts === undefined ? undefined : String(call.args.thread_ts);
    if (thread && !findMessage(channel, thread)) return no('thread_not_found');
    const message = postInto(channel, {
      ...content(call.args),
      text: String(call.args.text ?? ''),
      user: call.team.botUser,
      bot_id: call.team.botId,
      app_id: call.state.appId,
      ...(thread ? { thread_ts: thread } : {}),
    });
    return { ok: true, channel: channel.id, ts: message.ts, message };
  },
  'chat.update': (call) => {
    const channel = channelOf(call);
    const message = findMessage(channel, call.args.ts);
    if (!channel) return no('channel_not_found');
    if (!message) return no('message_not_found');
    if (message.bot_id !== call.team.botId) return no('cant_update_message');
    const wrong = messageProblem(call.args);
    if (wrong) return wrong;
    Object.assign(message, content(call.args), { edited: { user: call.team.botUser, ts: newTs() } });
    return { ok: true, channel: channel.id, ts: message.ts, text: message.text, message };
  },
  'chat.delete': (call) => {
    const channel = channelOf(call);
    const message = findMessage(channel, call.args.ts);
    if (!channel || !message) return no('message_not_found');
    if (message.bot_id !== call.team.botId) return no('cant_delete_message');
    channel.messages.splice(channel.messages.indexOf(message), 1);
    return { ok: true, channel: channel.id, ts: message.ts };
  },
  'chat.postEphemeral': (call) => {
    const channel = channelOf(call);
    if (!channel) return no('channel_not_found');
    if (!channel.members.has(String(call.args.user))) return no('user_not_in_channel');
    const wrong = messageProblem(call.args);
    if (wrong) return wrong;
    call.state.ephemerals.push({
      team: call.team.id,
      channel: channel.id,
      user: String(call.args.user),
      args: { ...call.args, ...content(call.args) },
    });
    return { ok: true, message_ts: newTs() };
  },
  'chat.getPermalink': (call) => {
    const channel = channelOf(call);
    if (!channel || !findMessage(channel, call.args.message_ts)) return no('message_not_found');
    const digits = String(call.args.message_ts).replace('.', '');
    return {
      ok: true,
      channel: channel.id,
      permalink: `https://${call.team.domain}.slack.com/archives/${channel.id}/p${digits}`,
    };
  },
  'chat.unfurl': (call) => {
    call.state.unfurls.push({ ...call.args, unfurls: parsed(call.args.unfurls) });
    return { ok: true };
  },
  'views.open': openView,
  'views.push': openView,
  'views.update': (call) => {
    const raw = parsed(call.args.view) as Json;
    const old = call.state.views.get(String(call.args.view_id));
    if (!old || old.team !== call.team.id) return no('not_found');
    if (call.args.hash && call.args.hash !== old.hash) return no('hash_conflict');
    const wrong = viewProblem(raw);
    if (wrong) return no('invalid_arguments', { response_metadata: { messages: [`[ERROR] ${wrong}`] } });
    const view = storeView(call, raw, old.user, old);
    call.state.views.set(view.id, view);
    return { ok: true, view };
  },
  'views.publish': (call) => {
    const raw = parsed(call.args.view) as Json;
    const user = String(call.args.user_id);
    if (!call.team.people.has(user)) return no('user_not_found');
    const wrong = viewProblem(raw);
    if (wrong) return no('invalid_arguments', { response_metadata: { messages: [`[ERROR] ${wrong}`] } });
    const old = call.state.homes.get(user);
    if (call.args.hash && old && call.args.hash !== old.hash) return no('hash_conflict');
    const view = storeView(call, raw, user, old);
    call.state.homes.set(user, view);
    return { ok: true, view };
  },
  'conversations.info': (call) => {
    const channel = channelOf(call);
    if (!channel) return no('channel_not_found');
    const member = channel.members.has(call.team.botUser);
    return {
      ok: true,
      channel: {
        id: channel.id,
        name: channel.name,
        is_im: channel.kind === 'im',
        is_private: channel.kind === 'private',
        is_ext_shared: channel.shared ?? false,
        is_member: member,
      },
    };
  },
  'conversations.replies': (call) => {
    const channel = channelOf(call);
    const parent = findMessage(channel, call.args.ts);
    if (!channel || !parent) return no('thread_not_found');
    const all = channel.messages.filter((one) => one === parent || one.thread_ts === parent.ts);
    return page(call, all, false);
  },
  'conversations.history': (call) => {
    const channel = channelOf(call);
    if (!channel) return no('channel_not_found');
    const latest = Number(call.args.latest ?? Number.POSITIVE_INFINITY);
    const oldest = Number(call.args.oldest ?? 0);
    const inclusive = String(call.args.inclusive) === 'true';
    const all = channel.messages
      .filter((one) => !one.thread_ts || one.thread_ts === one.ts)
      .filter((one) => {
        const at = Number(one.ts);
        return inclusive ? at >= oldest && at <= latest : at > oldest && at < latest;
      })
      .reverse();
    return page(call, all, true);
  },
  'conversations.open': (call) => {
    const users = String(call.args.users ?? '').split(',');
    if (!users.every((id) => findPerson(call.state, call.team, id))) return no('user_not_found');
    const channel = openIm(call.state, call.team, users);
    return { ok: true, channel: { id: channel.id } };
  },
  'conversations.join': (call) => {
    const channel = channelOf(call);
    if (!channel) return no('channel_not_found');
    channel.members.add(call.team.botUser);
    return { ok: true, channel: { id: channel.id } };
  },
  'conversations.members': (call) => {
    const channel = channelOf(call);
    if (!channel) return no('channel_not_found');
    const from = Number(call.args.cursor || 0);
    const to = from + Number(call.args.limit ?? 100);
    const members = [...channel.members];
    const next_cursor = to < members.length ? String(to) : '';
    return { ok: true, members: members.slice(from, to), response_metadata: { next_cursor } };
  },
  'users.info': (call) => {
    const person = findPerson(call.state, call.team, String(call.args.user));
    if (!person) return no('user_not_found');
    return { ok: true, user: publicPerson(person, person.team === call.team.id && !person.stranger) };
  },
  'users.lookupByEmail': ({ team, args }) => {
    for (const person of team.people.values())
      if (person.email === args.email) return { ok: true, user: publicPerson(person, true) };
    return no('users_not_found');
  },
  'users.profile.get': (call) => {
    const person = findPerson(call.state, call.team, String(call.args.user));
    if (!person) return no('user_not_found');
    return { ok: true, profile: publicPerson(person, !person.stranger).profile };
  },
  'reactions.add': (call) => {
    const message = findMessage(channelOf(call), call.args.timestamp);
    if (!message) return no('message_not_found');
    message.reactions ??= [];
    const name = String(call.args.name);
    let reaction = message.reactions.find((one) => one.name === name);
    if (!reaction) {
      reaction = { name, users: [] };
      message.reactions.push(reaction);
    }
    if (reaction.users.includes(call.team.botUser)) return no('already_reacted');
    reaction.users.push(call.team.botUser);
    return { ok: true };
  },
  'reactions.remove': (call) => {
    const message = findMessage(channelOf(call), call.args.timestamp);
    const reaction = message?.reactions?.find((one) => one.name === call.args.name);
    if (!message || !reaction?.users.includes(call.team.botUser)) return no('no_reaction');
    reaction.users = reaction.users.filter((user) => user !== call.team.botUser);
    message.reactions = message.reactions?.filter((one) => one.users.length > 0);
    return { ok: true };
  },
  'reactions.get': (call) => {
    const message = findMessage(channelOf(call), call.args.timestamp);
    return message ? { ok: true, type: 'message', message } : no('message_not_found');
  },
  'files.getUploadURLExternal': ({ state, team, args }) => {
    if (!args.filename || !Number(args.length)) return no('invalid_arguments');
    const id = next(state, 'F');
    state.uploads.set(id, {
      id,
      team: team.id,
      name: String(args.filename),
      mimetype: 'application/octet-stream',
      bytes: Buffer.alloc(0),
      shared: false,
    });
    return { ok: true, upload_url: `${state.url}/upload/${id}`, file_id: id };
  },
  'files.completeUploadExternal': (call) => {
    const given = parsed(call.args.files) as Json[];
    const files = given.flatMap((one) => call.state.uploads.get(String(one.id)) ?? []);
    if (files.length !== given.length || files.some((file) => file.bytes.length === 0))
      return no('file_not_found');
    for (const file of files) {
      file.shared = true;
      call.state.files.set(file.id, file);
      call.state.uploads.delete(file.id);
    }
    const described = files.map((file) => fileOut(call.state, file.id));
    const channel = call.args.channel_id
      ? channelOf({ ...call, args: { channel: call.args.channel_id } })
      : undefined;
    if (channel)
      postInto(channel, {
        text: String(call.args.initial_comment ?? ''),
        user: call.team.botUser,
        bot_id: call.team.botId,
        files: described,
        ...(call.args.thread_ts ? { thread_ts: String(call.args.thread_ts) } : {}),
      });
    return { ok: true, files: described };
  },
  'files.info': ({ state, args }) =>
    state.files.has(String(args.file))
      ? { ok: true, file: fileOut(state, String(args.file)) }
      : no('file_not_found'),
  'functions.completeSuccess': ({ state, args }) => {
    state.functions.push({ done: true, ...args, outputs: parsed(args.outputs) });
    return { ok: true };
  },
  'functions.completeError': ({ state, args }) => {
    state.functions.push({ done: false, ...args });
    return { ok: true };
  },
};

function page({ args }: Call, all: Message[], reversed: boolean): Json {
  const limit = Number(args.limit ?? 100);
  const from = Number(args.cursor ?? 0);
  const rows = all.slice(from, from + limit).map((one) => {
    if (String(args.include_all_metadata) === 'true') return one;
    const { metadata: _hidden, ...rest } = one;
    return rest;
  });
  const more = from + limit < all.length;
  return {
    ok: true,
    messages: rows,
    has_more: more,
    response_metadata: { next_cursor: more ? String(from + limit) : '' },
    ...(reversed ? { pin_count: 0 } : {}),
  };
}
