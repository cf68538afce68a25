// What the fake Slack remembers: workspaces with their people, channels, messages, views and files. Nothing here
// speaks to the app under test; tests may look at and change everything.

export type Json = Record<string, unknown>;

export interface Person {
  id: string;
  team: string;
  name: string;
  email?: string;
  confirmed?: boolean;
  guest?: boolean;
  stranger?: boolean;
  bot?: boolean;
  tz?: string;
  deleted?: boolean;
}

export interface Message extends Json {
  type: 'message';
  ts: string;
  channel: string;
  text: string;
  user?: string;
  bot_id?: string;
  thread_ts?: string;
  blocks?: Json[];
  metadata?: Json;
  files?: Json[];
  edited?: Json;
  reactions?: { name: string; users: string[] }[];
}

export interface Channel {
  id: string;
  name: string;
  kind: 'public' | 'private' | 'im';
  members: Set<string>;
  messages: Message[];
  shared?: boolean;
}

export interface StoredFile {
  id: string;
  team: string;
  name: string;
  mimetype: string;
  bytes: Buffer;
  shared: boolean;
}

export interface View extends Json {
  id: string;
  hash: string;
  type: 'modal' | 'home';
  callback_id?: string;
  private_metadata?: string;
  blocks: Json[];
  user: string;
  team: string;
}

export interface Team {
  id: string;
  name: string;
  domain: string;
  token: string;
  botUser: string;
  botId: string;
  revoked: boolean;
  people: Map<string, Person>;
  channels: Map<string, Channel>;
}

export interface ApiCall {
  method: string;
  token: string;
  team: string | undefined;
  args: Json;
  at: number;
  answer: Json | undefined;
}

export interface Answer {
  team: string;
  user: string;
  channel: string;
  body: Json;
}

export interface Fault {
  method: RegExp;
  channel?: string;
  left: number;
  status?: number;
  retryAfter?: number;
  error?: string;
  /** Do the work, then lose the answer on the way back. */
  lost?: boolean;
  waitMs?: number;
}

export interface State {
  url: string;
  appId: string;
  teams: Map<string, Team>;
  views: Map<string, View>;
  homes: Map<string, View>;
  files: Map<string, StoredFile>;
  uploads: Map<string, StoredFile>;
  triggers: Map<string, { team: string; user: string; at: number; used: boolean }>;
  answers: Answer[];
  answerDoors: Map<
    string,
    { team: string; user: string; channel: string; ts?: string; at: number; uses: number }
  >;
  ephemerals: { team: string; channel: string; user: string; args: Json }[];
  unfurls: Json[];
  functions: Json[];
  calls: ApiCall[];
  faults: Fault[];
  /** by channel; a call before that time, once the app was told, is a breach */
  pauses: Map<string, { until: number; told: boolean }>;
  breaches: ApiCall[];
  codes: Map<string, string>;
  count: number;
}

export function next(state: State, prefix: string): string {
  state.count += 1;
  return `${prefix}${(1000 + state.count).toString(36).toUpperCase().padStart(8, '0')}`;
}

let lastTs = 0;
/** Slack's message ids are times with microseconds; never two alike. */
export function newTs(): string {
  lastTs = Math.max(lastTs + 1, Date.now() * 1000);
  return `${Math.floor(lastTs / 1_000_000)}.${String(lastTs % 1_000_000).padStart(6, '0')}`;
}

export function addTeam(state: State, name: string): Team {
  const id = next(state, 'T');
  const team: Team = {
    id,
    name,
    domain: name.toLowerCase().replace(/\W+/g, '-'),
    token: `xoxb-${id}-test`,
    botUser: next(state, 'U'),
    botId: next(state, 'B'),
    revoked: false,
    people: new Map(),
    channels: new Map(),
  };
  team.people.set(team.botUser, { id: team.botUser, team: id, name: 'switchboard', bot: true });
  state.teams.set(id, team);
  return team;
}

export function addPerson(state: State, team: Team, name: string, more: Partial<Person> = {}): Person {
  const person: Person = {
    id: next(state, 'U'),
    team: team.id,
    name,
    confirmed: true,
    tz: 'Europe/Berlin',
    ...more,
  };
  team.people.set(person.id, person);
  return person;
}

export function addChannel(
  state: State,
  team: Team,
  name: string,
  members: Person[] = [],
  more: Partial<Channel> = {},
): Channel {
  const channel: Channel = {
    id: next(state, more.kind === 'im' ? 'D' : 'C'),
    name,
    kind: 'public',
    members: new Set([team.botUser, ...members.map((person) => person.id)]),
    messages: [],
    ...more,
  };
  team.channels.set(channel.id, channel);
  return channel;
}

export const findMessage = (channel: Channel | undefined, ts: unknown): Message | undefined =>
  channel?.messages.find((message) => message.ts === ts);

export function postInto(channel: Channel, message: Omit<Message, 'type' | 'ts' | 'channel'>): Message {
  const stored = { type: 'message', ts: newTs(), channel: channel.id, ...message } as Message;
  channel.messages.push(stored);
  const parent = stored.thread_ts ? findMessage(channel, stored.thread_ts) : undefined;
  if (parent) {
    parent.thread_ts = parent.ts;
    parent.reply_count = channel.messages.filter(
      (one) => one.thread_ts === parent.ts && one !== parent,
    ).length;
  }
  return stored;
}

export function emptyState(): State {
  return {
    url: '',
    appId: 'A0SWITCH',
    teams: new Map(),
    views: new Map(),
    homes: new Map(),
    files: new Map(),
    uploads: new Map(),
    triggers: new Map(),
    answers: [],
    answerDoors: new Map(),
    ephemerals: [],
    unfurls: [],
    functions: [],
    calls: [],
    faults: [],
    pauses: new Map(),
    breaches: [],
    codes: new Map(),
    count: 0,
  };
}

export function publicPerson(person: Person, withEmail: boolean): Json {
  return {
    id: person.id,
    team_id: person.team,
    name: person.name,
    deleted: person.deleted ?? false,
    is_bot: person.bot ?? false,
    is_restricted: person.guest ?? false,
    is_ultra_restricted: false,
    is_stranger: person.stranger ?? false,
    is_email_confirmed: person.confirmed ?? false,
    tz: person.tz,
    profile: {
      real_name: person.name,
      display_name: person.name,
      image_48: `https://avatars.example/${person.id}.png`,
      ...(withEmail && person.email ? { email: person.email } : {}),
    },
  };
}

export function findPerson(state: State, team: Team, id: string): Person | undefined {
  const own = team.people.get(id);
  if (own) return own;
  for (const other of state.teams.values()) {
    const found = other.people.get(id);
    // Slack Connect: people of another workspace are visible where a channel is shared.
    if (found && [...team.channels.values()].some((one) => one.shared && one.members.has(id)))
      return { ...found, stranger: true };
  }
  return undefined;
}
