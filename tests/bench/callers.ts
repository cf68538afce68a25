// Callers in a process of their own that does next to nothing: bytes made before, evenly spaced, one look at each answer.
// So it is the desk that is measured and not who asks, though both share the cores. Prints what they saw, as JSON.
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const [url = '', token = '', given = '', each = '', length = '', body = ''] = process.argv.slice(2);
const { hostname, port, pathname } = new URL(url);
const [connections, rate, seconds] = [Number(given), Number(each), Number(length)];
const request = Buffer.from(
  `${body ? 'POST' : 'GET'} ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${token}\r\n` +
    (body ? `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` : '') +
    `\r\n${body}`,
);

const free: Caller[] = [];
const taken: { at: number; ms: number }[] = [];
const sentAway: number[] = [];
let [others, sent, asking] = [0, 0, true];

interface Caller {
  socket: Socket;
  since: number;
  /** Bytes of the answer that are still to come. */
  rest: number;
}

function hear(caller: Caller, part: Buffer, began: number): void {
  if (caller.rest > 0) caller.rest -= part.length;
  else {
    const now = performance.now();
    const ms = now - caller.since;
    const status = part.toString('latin1', 9, 12);
    if (status === '201' || status === '200') taken.push({ at: now - began, ms });
    else if (status === '503') sentAway.push(ms);
    else others++;
    const head = part.indexOf('\r\n\r\n') + 4;
    const size = /content-length: (\d+)/i.exec(part.toString('latin1', 0, head))?.[1];
    caller.rest = head + Number(size) - part.length;
  }
  if (caller.rest > 0) return;
  if (rate) free.push(caller);
  else if (asking) ask(caller);
}

function ask(caller: Caller): void {
  caller.since = performance.now();
  sent++;
  caller.socket.write(request);
}

const began = performance.now();
for (let n = 0; n < connections; n++) {
  const caller: Caller = { socket: connect(Number(port), hostname).setNoDelay(), since: 0, rest: 0 };
  caller.socket.on('data', (part) => hear(caller, part, began));
  caller.socket.on('error', () => others++);
  await new Promise((resolve) => caller.socket.once('connect', resolve));
  free.push(caller);
}
const from = performance.now();
let [due, unasked] = [0, 0];
if (!rate) for (const caller of free.splice(0)) ask(caller);
for (let past = 0; past < seconds * 1_000; past = performance.now() - from) {
  // Who asks too seldom because all are still waiting says so, instead of asking later and more.
  for (const until = Math.floor((past / 1_000) * rate); due < until; due++) {
    const caller = free.shift();
    if (caller) ask(caller);
    else unasked++;
  }
  await pause(1);
}
asking = false;
const answered = () => taken.length + sentAway.length + others;
for (const end = Date.now() + 10_000; answered() < sent && Date.now() < end; ) await pause(10);

const at = (list: number[], share: number) =>
  Math.round((list.sort((a, b) => a - b)[Math.floor(list.length * share)] ?? Number.NaN) * 10) / 10;
const waits = taken.map(({ ms }) => ms);
const lasting = taken.filter((one) => one.at - (from - began) > 2_000).map(({ ms }) => ms);
const worst: number[] = [];
for (const one of taken) {
  const second = Math.floor((one.at - (from - began)) / 1_000);
  worst[second] = Math.round(Math.max(worst[second] ?? 0, one.ms));
}
const { user, system } = process.cpuUsage();
process.stdout.write(
  `${JSON.stringify({
    connections,
    offered: Math.round(sent / seconds),
    taken: taken.length,
    a_second: Math.round(taken.length / seconds),
    away: sentAway.length,
    others,
    unasked,
    unanswered: sent - answered(),
    p50: at(waits, 0.5),
    p99: at(waits, 0.99),
    p99_after_2_s: at(lasting, 0.99),
    away_p50: at(sentAway, 0.5),
    away_p99: at(sentAway, 0.99),
    slowest_by_second: worst.map((ms) => ms ?? 0),
    own_cpu: Math.round((user + system) / 1e4 / seconds) / 100,
  })}\n`,
);
process.exit(0);
