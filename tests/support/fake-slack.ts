// A stateful Slack on loopback: Web API, file bytes, response_url, OAuth and Socket Mode. The real WebClient and the real
// Bolt talk to it over the wire; `fake-slack-people.ts` lets its people type, click and react.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { METHODS } from './fake-slack-api.ts';
import { blocksProblem } from './fake-slack-blocks.ts';
import { openSocketDoor, type SocketDoor } from './fake-slack-socket.ts';
import {
  type ApiCall,
  addTeam,
  emptyState,
  type Fault,
  findMessage,
  type Json,
  postInto,
  type State,
  type Team,
} from './fake-slack-state.ts';

export interface FakeSlack {
  state: State;
  /** For SLACK_API_URL: ends in /api/ */
  apiUrl: string;
  socket: SocketDoor;
  team: (name: string) => Team;
  fail: (method: RegExp, fault: Omit<Fault, 'method' | 'left'>, times?: number) => void;
  /** Slack asks for a pause on one channel; calls in the meantime count as breaches. */
  pause: (channel: string, seconds: number) => void;
  calls: (method: string) => ApiCall[];
  stop: () => Promise<void>;
}

const read = async (req: IncomingMessage): Promise<Buffer> => {
  const parts: Buffer[] = [];
  for await (const part of req) parts.push(part as Buffer);
  return Buffer.concat(parts);
};

function argsOf(req: IncomingMessage, body: Buffer): Json {
  const url = new URL(req.url ?? '/', 'http://slack');
  const query = Object.fromEntries(url.searchParams);
  const kind = String(req.headers['content-type'] ?? '');
  if (kind.startsWith('application/json'))
    return { ...query, ...(JSON.parse(body.toString() || '{}') as Json) };
  return { ...query, ...Object.fromEntries(new URLSearchParams(body.toString())) };
}

const tokenOf = (req: IncomingMessage, args: Json): string =>
  String(req.headers.authorization ?? '').replace(/^Bearer /, '') || String(args.token ?? '');

const reply = (
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void => {
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  res.end(JSON.stringify(body));
};

function takeFault(state: State, method: string, args: Json): Fault | undefined {
  const fault = state.faults.find(
    (one) => one.left > 0 && one.method.test(method) && (!one.channel || one.channel === args.channel),
  );
  if (fault) fault.left -= 1;
  return fault;
}

function install(state: State, args: Json): Json {
  const team = state.teams.get(state.codes.get(String(args.code)) ?? '');
  if (!team) return { ok: false, error: 'invalid_code' };
  team.revoked = false;
  return {
    ok: true,
    app_id: state.appId,
    authed_user: { id: [...team.people.values()].find((one) => !one.bot)?.id ?? team.botUser },
    scope: 'commands,chat:write',
    token_type: 'bot',
    access_token: team.token,
    bot_user_id: team.botUser,
    team: { id: team.id, name: team.name },
    enterprise: null,
    is_enterprise_install: false,
  };
}

function answerFor(state: State, method: string, token: string, args: Json): Json {
  if (method === 'oauth.v2.access') return install(state, args);
  if (method === 'apps.connections.open')
    return token.startsWith('xapp-')
      ? { ok: true, url: `${state.url.replace('http', 'ws')}/link` }
      : { ok: false, error: 'invalid_auth' };
  const team = [...state.teams.values()].find((one) => one.token === token);
  if (!token) return { ok: false, error: 'not_authed' };
  if (!team) return { ok: false, error: 'invalid_auth' };
  if (team.revoked) return { ok: false, error: 'token_revoked' };
  const work = METHODS[method];
  return work ? work({ state, team, args }) : { ok: false, error: 'unknown_method' };
}

async function callApi(
  state: State,
  method: string,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const args = argsOf(req, await read(req));
  const token = tokenOf(req, args);
  const team = [...state.teams.values()].find((one) => one.token === token)?.id;
  const call: ApiCall = { method, token, team, args, at: Date.now(), answer: undefined };
  state.calls.push(call);
  const pause = state.pauses.get(String(args.channel ?? ''));
  if (pause && Date.now() < pause.until) {
    if (pause.told) state.breaches.push(call);
    pause.told = true;
    const seconds = String(Math.ceil((pause.until - Date.now()) / 1000));
    return reply(res, 429, { ok: false, error: 'ratelimited' }, { 'retry-after': seconds });
  }
  const fault = takeFault(state, method, args);
  if (fault?.waitMs) await new Promise((done) => setTimeout(done, fault.waitMs));
  if (fault?.retryAfter) {
    state.pauses.set(String(args.channel ?? ''), { until: Date.now() + fault.retryAfter * 1000, told: true });
    return reply(res, 429, { ok: false, error: 'ratelimited' }, { 'retry-after': String(fault.retryAfter) });
  }
  if (fault?.status) return reply(res, fault.status, { ok: false, error: 'internal_error' });
  if (fault?.error) return reply(res, 200, { ok: false, error: fault.error });
  call.answer = answerFor(state, method, token, args);
  if (fault?.lost) {
    req.socket.destroy();
    return;
  }
  reply(res, 200, call.answer);
}

async function answerDoor(
  state: State,
  id: string,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const door = state.answerDoors.get(id);
  const body = JSON.parse((await read(req)).toString() || '{}') as Json;
  if (!door || Date.now() - door.at > 30 * 60_000) return reply(res, 404, 'used_url');
  door.uses += 1;
  if (door.uses > 5) return reply(res, 404, 'used_url');
  const wrong = body.blocks === undefined ? undefined : blocksProblem(body.blocks, 'message');
  if (wrong) return reply(res, 400, { ok: false, error: 'invalid_blocks', detail: wrong });
  state.answers.push({ team: door.team, user: door.user, channel: door.channel, body });
  const channel = state.teams.get(door.team)?.channels.get(door.channel);
  const original = findMessage(channel, door.ts);
  if (body.replace_original && original) Object.assign(original, { text: body.text, blocks: body.blocks });
  else if (body.delete_original && original) channel?.messages.splice(channel.messages.indexOf(original), 1);
  else if (body.response_type === 'in_channel' && channel)
    postInto(channel, {
      text: String(body.text ?? ''),
      ...(body.blocks ? { blocks: body.blocks as Json[] } : {}),
      bot_id: state.teams.get(door.team)?.botId ?? '',
    });
  reply(res, 200, { ok: true });
}

async function takeUpload(
  state: State,
  id: string,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const upload = state.uploads.get(id);
  const body = await read(req);
  if (!upload) return reply(res, 404, 'gone');
  const boundary = /boundary=(.+)$/.exec(String(req.headers['content-type'] ?? ''))?.[1];
  if (boundary) {
    const from = body.indexOf('\r\n\r\n') + 4;
    upload.bytes = body.subarray(from, body.indexOf(`\r\n--${boundary}`, from));
  } else upload.bytes = body;
  res.end(`OK - ${upload.bytes.length}`);
}

async function giveFile(state: State, id: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const file = state.files.get(id);
  const team = [...state.teams.values()].find((one) => one.token === tokenOf(req, {}));
  if (!file) return reply(res, 404, 'not found');
  if (!team || team.revoked || team.id !== file.team) {
    // Slack does not refuse: it shows a sign-in page, which must never be stored as the file.
    res.writeHead(200, { 'content-type': 'text/html' });
    res.end('<!DOCTYPE html><title>Sign in | Slack</title>');
    return;
  }
  res.writeHead(200, { 'content-type': file.mimetype, 'content-length': String(file.bytes.length) });
  res.end(file.bytes);
}

export async function startFakeSlack(): Promise<FakeSlack> {
  const state = emptyState();
  const server = createServer((req, res) => {
    const [, door, id = ''] = new URL(req.url ?? '/', 'http://slack').pathname.split('/');
    const work =
      door === 'api'
        ? callApi(state, id, req, res)
        : door === 'response'
          ? answerDoor(state, id, req, res)
          : door === 'upload'
            ? takeUpload(state, id, req, res)
            : door === 'files-pri'
              ? giveFile(state, id, req, res)
              : Promise.resolve(reply(res, 404, 'no such door'));
    work.catch((error: unknown) => reply(res, 500, { ok: false, error: String(error) }));
  });
  const socket = openSocketDoor(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    state,
    apiUrl: `${state.url}/api/`,
    socket,
    team: (name) => addTeam(state, name),
    fail: (method, fault, times = 1) => void state.faults.push({ method, left: times, ...fault }),
    pause: (channel, seconds) =>
      void state.pauses.set(channel, { until: Date.now() + seconds * 1000, told: false }),
    calls: (method) => state.calls.filter((call) => call.method === method),
    async stop() {
      socket.drop();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
