// `npm run seed [-- --tickets 1000000] [--url http://127.0.0.1:3000]`: fills a running Switchboard with a believable
// company, as a client of its API: desks of every preset, teams, people, tickets with threads.
import { existsSync, readFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs, parseEnv } from 'node:util';

const USAGE = `Fills a running Switchboard with a believable company: desks, teams, people, tickets with threads.

  npm run seed                            500 tickets
  npm run seed -- --tickets 1000000       as many as you like; run again, nothing is filed twice
      --url http://127.0.0.1:3000         where it listens (PORT of .env, else 3000)
      --email, --password                 of an administrator (ADMIN_EMAIL and ADMIN_PASSWORD, or those in the data folder)
      --help                              this
`;
const stop = (words, code = 1) => {
  console.error(words);
  process.exit(code);
};
const WRONG = 2;

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        tickets: { type: 'string', default: '500' },
        url: { type: 'string' },
        email: { type: 'string' },
        password: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values;
  } catch (error) {
    return stop(
      `${error.message.split(/\.\s/)[0]}. \`npm run seed -- --help\` says what may be given.`,
      WRONG,
    );
  }
}

const values = readArguments();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const count = Number(values.tickets);
if (!/^\d{1,9}$/.test(values.tickets)) stop('--tickets takes a whole number.', WRONG);
const env = { ...(existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {}), ...process.env };
const base = values.url ?? `http://127.0.0.1:${env.PORT ?? 3000}`;
if (!/^https?:\/\/[^/]/.test(base) || !URL.canParse(base))
  stop(`--url: "${base}" is no address such as http://127.0.0.1:3000.`, WRONG);
const secrets = path.join(env.DATA_DIR ?? './data', 'secrets.json');
const email = values.email ?? env.ADMIN_EMAIL ?? 'admin@company.com';
const password = values.password ?? env.ADMIN_PASSWORD ?? ownPassword();
if (!password) stop('No password: run this where the data folder is, or give --password.');

function ownPassword() {
  try {
    return JSON.parse(readFileSync(secrets, 'utf8')).ADMIN_PASSWORD;
  } catch {
    return undefined;
  }
}

let token = '';
async function call(method, at, body, fine = []) {
  const answer = await fetch(`${base}/api/v1${at}`, {
    method,
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  }).catch(() => stop(`Nobody answers at ${base}: start Switchboard first (npm start), or give --url.`));
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok && !fine.includes(answer.status))
    stop(`${method} ${at}: ${answer.status} ${json.detail ?? ''}`);
  return { ok: answer.ok, ...json };
}

let state = 20_261_120;
const random = () => {
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
  return state / 2_147_483_648;
};
const pick = (list) => list[Math.floor(random() * list.length)];

const DESKS = [
  { key: 'OPS', name: 'Platform operations', preset: 'devops' },
  { key: 'WEB', name: 'Website project', preset: 'project' },
  { key: 'FAC', name: 'Facilities', preset: 'simple' },
];
const STATES = {
  TKT: ['new', 'open', 'in_progress', 'pending', 'resolved', 'closed', 'closed'],
  OPS: ['new', 'open', 'in_progress', 'pending_info', 'resolved', 'closed', 'escalated'],
  WEB: ['open', 'in_progress', 'blocked', 'closed'],
  FAC: ['open', 'in_progress', 'resolved', 'closed'],
};
const CATEGORIES = {
  TKT: ['technical', 'billing', 'general', 'bug_report', 'feature_request'],
  OPS: ['incident', 'service_request', 'change_request', 'problem'],
  WEB: ['bug', 'feature', 'task'],
  FAC: ['technical', 'general'],
};
const TEAMS = [
  ['Billing', 'Invoices, refunds, payment methods and contracts', 'billing'],
  ['Platform', 'Servers, databases, deployments and incidents', 'incident'],
  ['Product', 'Bugs and wishes of the product', 'technical'],
];
const STAFF = [
  ['mei.tanaka', 'Mei Tanaka', 'lead'],
  ['ana.silva', 'Ana Silva', 'agent'],
  ['jonas.weber', 'Jonas Weber', 'agent'],
  ['priya.nair', 'Priya Nair', 'agent'],
  ['omar.haddad', 'Omar Haddad', 'agent'],
  ['lena.fischer', 'Lena Fischer', 'manager'],
];
const CUSTOMERS = [
  'Nora Lind',
  'Tom Becker',
  'Aiko Sato',
  'Luis Ortega',
  'Grace Obi',
  'Ivan Petrov',
  'Sara Cohen',
  'Paul Martin',
  'Chen Wei',
  'Julia Novak',
];
const THINGS = [
  'login page',
  'invoice',
  'export',
  'printer on floor 3',
  'staging cluster',
  'mobile app',
  'VPN',
  'password reset',
  'dashboard',
  'checkout',
  'webhook',
  'search',
  'calendar sync',
  'backup job',
];
const TROUBLES = [
  'does not load',
  'shows an error 500',
  'is very slow since this morning',
  'lost my last changes',
  'sends every message twice',
  'cannot be opened on a phone',
  'shows the wrong amount',
  'times out',
  'needs a second approval',
  'should remember my choice',
];
const ANSWERS = [
  'Thanks for the details, I am looking into it.',
  'Could you send us a screenshot and the time it happened?',
  'We found the cause and are rolling out a fix.',
  'This should work again. Please try once more.',
];
const REPLIES = [
  'It happened again at 9:40.',
  'Works now, thank you!',
  'Here is what I see, it is the same on my colleague’s machine.',
  'Any news on this?',
];
const NOTES = [
  'Same cause as last week, see the runbook.',
  'Customer is on the old plan, handle with care.',
  'Handed over at the end of the shift.',
];

function ticket(at, staff, teams) {
  const desk = pick(['TKT', 'TKT', 'TKT', 'OPS', 'OPS', 'WEB', 'FAC']);
  const thing = pick(THINGS);
  const customer = pick(CUSTOMERS);
  const agent = pick(staff);
  // In the order of their numbers, as tickets are filed.
  const filed = Math.floor(Date.now() - (60 * 86_400_000 * (count - at - random())) / count);
  const status = pick(STATES[desk]);
  const later = (minutes) => new Date(Math.min(filed + minutes * 60_000, Date.now())).toISOString();
  const done = ['resolved', 'closed'].includes(status);
  const comments = [];
  for (let turn = 0; turn < Math.floor(random() * 4); turn++) {
    comments.push({ content: pick(ANSWERS), author: agent.name, created_at: later(30 + turn * 90) });
    if (random() < 0.6)
      comments.push({ content: pick(REPLIES), author: customer, created_at: later(60 + turn * 90) });
    if (random() < 0.3)
      comments.push({
        content: pick(NOTES),
        author: agent.name,
        is_internal: true,
        created_at: later(70 + turn * 90),
      });
  }
  return {
    title: `The ${thing} ${pick(TROUBLES)}`,
    description: `Hello,\n\nthe ${thing} ${pick(TROUBLES)}. It began on ${new Date(filed).toDateString()}, and ${pick(['it blocks our month end', 'a few customers complained', 'I have a workaround', 'everybody in the team sees it'])}.\n\nRegards\n${customer}`,
    desk,
    status,
    priority: pick(['critical', 'urgent', 'high', 'high', 'medium', 'medium', 'medium', 'low', 'low']),
    category: pick(CATEGORIES[desk]),
    tags: [thing.split(' ')[0].toLowerCase(), ...(random() < 0.3 ? ['vip'] : [])],
    environment: pick(['production', 'production', 'staging', 'development']),
    requester: `${customer.toLowerCase().replace(' ', '.')}@example.com`,
    ...(status === 'new' ? {} : { assignee_id: agent.id, team_id: pick(teams) }),
    external_ref: `DEMO-${at}`,
    created_at: new Date(filed).toISOString(),
    ...(done
      ? { resolved_at: later(600), resolution_notes: 'Fixed and checked together with the customer.' }
      : {}),
    ...(comments.length ? { comments } : {}),
  };
}

async function people() {
  for (const desk of DESKS) await call('POST', '/desks', desk, [409]);
  const teams = [];
  for (const [name, description, category] of TEAMS) {
    await call('POST', '/teams', { name, description, category }, [409]);
  }
  for (const team of (await call('GET', '/teams')).items) teams.push(team.id);
  for (const [username, full_name, role] of STAFF)
    await call(
      'POST',
      '/users',
      { email: `${username}@example.com`, username, full_name, role, password: `demo-${username}-2026` },
      [409],
    );
  const names = STAFF.map(([username]) => username);
  const staff = (await call('GET', '/users?page_size=100')).items.filter((user) =>
    names.includes(user.username),
  );
  for (const [at, user] of staff.entries())
    await call('PUT', `/teams/${teams[at % teams.length]}/members/${user.id}`, {}, [409]);
  return { teams, staff: staff.map((user) => ({ id: user.id, name: user.full_name })) };
}

function bring(staff, teams) {
  return new Promise((resolve, reject) => {
    const request = base.startsWith('https:') ? secureRequest : plainRequest;
    const out = request(`${base}/api/v1/tickets/import`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', authorization: `Bearer ${token}` },
    });
    const started = Date.now();
    out.once('error', reject);
    out.once('response', (answer) => {
      const hungUp = () =>
        stop('\nSwitchboard hung up. Start this again: what was filed is not filed twice.');
      answer.once('error', hungUp);
      const reader = createInterface({ input: answer }).once('close', () => setImmediate(hungUp));
      reader.on('line', (line) => {
        const told = JSON.parse(line);
        if (told.progress)
          process.stderr.write(
            `\r  ${told.progress} of ${count} tickets, ${Math.round((told.progress * 1_000) / (Date.now() - started))} a second `,
          );
        else if (told.line) console.error(`\n  line ${told.line}: ${told.detail}`);
        else if ('done' in told) resolve(told);
        else reject(new Error(told.detail));
      });
    });
    let at = 0;
    const write = () => {
      while (at < count)
        if (!out.write(`${JSON.stringify(ticket(at++, staff, teams))}\n`)) return out.once('drain', write);
      out.end();
    };
    write();
  });
}

token = (await call('POST', '/auth/login', { email, password })).access_token;
console.error('Desks, teams and people ...');
const { staff, teams } = await people();
console.error(`${count} tickets ...`);
const told = await bring(staff, teams).catch((error) => stop(`\nThe import ended: ${error.message}`));
if (!told.done) stop(`\n${told.detail}`);
console.error(`\nDone: ${told.imported} filed, ${told.already_there} were there, ${told.refused} refused.`);
console.error('People sign in as mei.tanaka@example.com with demo-mei.tanaka-2026, and so on.');
process.exit(told.refused === 0 ? 0 : 1);
