// What a driver or a tool asks of any server: who are you, are you there. A standalone server answers: no replica set, no
// sessions to keep, hence no transactions and no retryable writes.
import { hostname } from 'node:os';
import type { Doc } from './documents.ts';
import { fault } from './errors.ts';
import { LARGEST_DOCUMENT } from './records.ts';
import type { Command, Request } from './requests.ts';
import { LARGEST_MESSAGE } from './wire.ts';
import { words } from './words.ts';

const VERSION = '8.0.0';
const NEWEST_WIRE_VERSION = 25;

function hello({ connection, body }: Request): Doc {
  return {
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
  };
}

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

function serverStatus({ engine }: Request): Doc {
  const { rss } = process.memoryUsage();
  return {
    host: hostname(),
    version: VERSION,
    process: 'embedded',
    pid: process.pid,
    uptime: (Date.now() - engine.started) / 1000,
    localTime: new Date(),
    connections: { current: engine.connections.size, available: 10_000 - engine.connections.size },
    mem: { bits: 64, resident: Math.round(rss / 1_048_576) },
    metrics: {
      commands: Object.fromEntries([...engine.asked].map(([name, total]) => [name, { total }])),
      cursor: { open: { total: engine.cursors.size } },
    },
    storageEngine: { name: 'lmdb', persistent: true, readOnly: false },
    ok: 1,
  };
}

const always = (reply: Doc): Command => ({ run: () => reply });
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
  ...all('commitTransaction abortTransaction', () =>
    fault(20, 'Transaction numbers are only allowed on a replica set member or mongos'),
  ),
  serverStatus: { run: serverStatus },
  hostInfo: { run: () => ({ system: { currentTime: new Date(), hostname: hostname() }, os: {}, ok: 1 }) },
  connectionStatus: always({ authInfo: { authenticatedUsers: [], authenticatedUserRoles: [] }, ok: 1 }),
  whatsmyuri: { run: ({ connection }) => ({ you: connection.peer, ok: 1 }) },
  startSession: always({ ok: 1, timeoutMinutes: 30 }),
  getLog: always({ totalLinesWritten: 0, log: [], ok: 1 }),
  getCmdLineOpts: always({ argv: [], parsed: {}, ok: 1 }),
  getFreeMonitoringStatus: always({ state: 'disabled', ok: 1 }),
  getParameter: {
    run: ({ body }) => {
      const known: Doc = { featureCompatibilityVersion: { version: '8.0' }, authenticationMechanisms: [] };
      const names = Object.keys(known).filter(
        (name) => body.getParameter === '*' || body[name] !== undefined,
      );
      if (names.length === 0) fault(72, 'no option found to get');
      return { ...Object.fromEntries(names.map((name) => [name, known[name]])), ok: 1 };
    },
  },
};
