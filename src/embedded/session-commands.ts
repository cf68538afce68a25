// What a driver or a tool asks of any server: who are you, are you there. A standalone server answers: no replica set, no
// sessions to keep, hence no transactions and no retryable writes.
import { hostname } from 'node:os';
import { type Doc, LARGEST_DOCUMENT } from './documents.ts';
import { fault } from './errors.ts';
import { type Command, NO_TRANSACTIONS, type Request } from './requests.ts';
import { LARGEST_MESSAGE } from './wire.ts';
import { words } from './words.ts';

const VERSION = '8.0.0';
const NEWEST_WIRE_VERSION = 25;

const hello = ({ connection, body }: Request): Doc => ({
  helloOk: true,
  ...(body.hello === undefined ? { ismaster: true } : {}),
  isWritablePrimary: true,
  maxBsonObjectSize: LARGEST_DOCUMENT,
  maxMessageSizeBytes: LARGEST_MESSAGE,
  maxWriteBatchSize: 100_000,
  localTime: new Date(),
  logicalSessionTimeoutMinutes: 30,
  connectionId: connection.id,
  minWireVersion: 0,
  maxWireVersion: NEWEST_WIRE_VERSION,
  readOnly: false,
  ok: 1,
});

const buildInfo = (): Doc => ({
  version: VERSION,
  gitVersion: 'embedded',
  modules: ['embedded'],
  versionArray: [8, 0, 0, 0],
  bits: 64,
  debug: false,
  maxBsonObjectSize: LARGEST_DOCUMENT,
  storageEngines: ['lmdb'],
  ok: 1,
});

const serverStatus = ({ engine }: Request): Doc => ({
  host: hostname(),
  version: VERSION,
  process: 'embedded',
  pid: process.pid,
  uptime: (Date.now() - engine.started) / 1000,
  localTime: new Date(),
  connections: { current: engine.connections.size },
  mem: { bits: 64, resident: Math.round(process.memoryUsage.rss() / 1_048_576) },
  metrics: { commands: Object.fromEntries([...engine.asked].map(([name, total]) => [name, { total }])) },
  storageEngine: { name: 'lmdb', persistent: true, readOnly: false },
  ok: 1,
});

function getParameter({ body }: Request): Doc {
  const known: Doc = { featureCompatibilityVersion: { version: '8.0' }, authenticationMechanisms: [] };
  const found = Object.entries(known).filter(
    ([name]) => body.getParameter === '*' || body[name] !== undefined,
  );
  if (found.length === 0) fault(72, 'no option found to get');
  return { ...Object.fromEntries(found), ok: 1 };
}

const always = (reply: Doc): Command => ({ run: () => ({ ...reply, ok: 1 }) });
const all = (names: string, run: Command['run']): Record<string, Command> =>
  Object.fromEntries(words(names).map((name) => [name, { run }]));

export const SESSION_COMMANDS: Record<string, Command> = {
  ...all('hello isMaster ismaster', hello),
  ...all('buildInfo buildinfo', buildInfo),
  ...all('ping endSessions killSessions killAllSessions refreshSessions logout', () => ({ ok: 1 })),
  ...all('saslStart saslContinue authenticate', ({ name }) =>
    fault(18, `${name}: the embedded engine has no users, its socket admits its own user only`),
  ),
  ...all('replSetGetStatus replSetInitiate', () => fault(76, 'not running with --replSet')),
  ...all('commitTransaction abortTransaction', () => fault(20, NO_TRANSACTIONS)),
  serverStatus: { run: serverStatus },
  getParameter: { run: getParameter },
  whatsmyuri: { run: ({ connection }) => ({ you: connection.peer, ok: 1 }) },
  hostInfo: always({ system: { hostname: hostname() }, os: {} }),
  connectionStatus: always({ authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] } }),
  startSession: always({ timeoutMinutes: 30 }),
  getLog: always({ totalLinesWritten: 0, log: [] }),
  getCmdLineOpts: always({ argv: [], parsed: {} }),
};
