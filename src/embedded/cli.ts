// npm run db -- serve | shell | dump | restore: the engine's data by hand, on the engine's own server or a real MongoDB's.
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { dump, restore } from './dump.ts';
import { startEngine } from './engine.ts';
import { listenerOf, socketsOf } from './folder.ts';
import { openShell } from './shell.ts';

const USAGE = `npm run db -- serve   --data DIR [--port 27017] [--socket PATH]   serve the data alone, on loopback TCP
npm run db -- shell   --data DIR | --uri URI [--db NAME]          a prompt on the data
npm run db -- dump    --data DIR | --uri URI --out DIR            [--db NAME] [--format ndjson|bson]
npm run db -- restore --data DIR | --uri URI --from DIR           [--drop]`;

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

function read() {
  return parseArgs({
    allowPositionals: true,
    options: {
      data: { type: 'string' },
      uri: { type: 'string' },
      port: { type: 'string' },
      socket: { type: 'string' },
      db: { type: 'string' },
      out: { type: 'string' },
      from: { type: 'string' },
      format: { type: 'string', default: 'ndjson' },
      drop: { type: 'boolean', default: false },
    },
  });
}

type Values = ReturnType<typeof read>['values'];

/** The data folder of an installation keeps the database in `db`; a folder may also be the database's own. */
function engineFolder({ data }: Values): string {
  const folder = resolve(data ?? 'data');
  const [inside, itself] = [join(folder, 'db'), folder].map((one) => existsSync(join(one, 'data.mdb')));
  return itself && !inside ? folder : join(folder, 'db');
}

/** Where an installation that runs on the folder listens. */
async function runningOn({ data }: Values): Promise<string | undefined> {
  const folder = resolve(data ?? 'data');
  const socket = existsSync(folder) ? join(socketsOf(realpathSync(folder)), 'engine.sock') : '';
  const isHeard = existsSync(socket) && (await listenerOf(socket)) !== undefined;
  return isHeard ? `mongodb://${encodeURIComponent(socket)}/?directConnection=true` : undefined;
}

/** What is only looked at may be in use, and must be there. */
async function forReading(values: Values): Promise<Values> {
  if (values.uri !== undefined || values.data === undefined) return values;
  const uri = await runningOn(values);
  if (uri === undefined && !existsSync(join(engineFolder(values), 'data.mdb')))
    throw new Error(`There is no database in ${resolve(values.data)}.`);
  return { ...values, uri };
}

async function serve(values: Values, port: number): Promise<{ uri: string; stop(): Promise<void> }> {
  const where = { dataDir: engineFolder(values), socket: values.socket, port };
  const running = await startEngine({ ...where, log: say });
  return { uri: `mongodb://127.0.0.1:${running.port}/?directConnection=true`, stop: running.stop };
}

/** The data of a folder, served for as long as the work takes, or what a URI names. */
async function withClient(values: Values, work: (client: MongoClient) => Promise<void>): Promise<void> {
  if (values.uri === undefined && values.data === undefined)
    throw new Error(`--data DIR or --uri URI says where the data is\n\n${USAGE}`);
  const served = values.uri === undefined ? await serve(values, 0) : undefined;
  const client = new MongoClient(values.uri ?? served?.uri ?? '', {
    promoteValues: false,
    promoteLongs: false,
  });
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.close();
    await served?.stop();
  }
}

async function main(): Promise<void> {
  const { values, positionals } = read();
  const [command] = positionals;
  if (values.format !== 'ndjson' && values.format !== 'bson') throw new Error('--format is ndjson or bson');
  const { format } = values;
  switch (command) {
    case 'serve': {
      const { uri, stop } = await serve(values, Number(values.port ?? 27017));
      console.log(`serving ${resolve(values.data ?? 'data')} at ${uri}`);
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        process.once(signal, () => void stop().then(() => process.exit(0)));
      return;
    }
    case 'shell':
      return withClient(await forReading(values), (client) => openShell(client, values.db ?? 'switchboard'));
    case 'dump': {
      const out = resolve(values.out ?? 'dump');
      mkdirSync(out, { recursive: true });
      return withClient(await forReading(values), (client) =>
        dump(client, { out, format, database: values.db, say }),
      );
    }
    case 'restore': {
      const from = resolve(values.from ?? 'dump');
      return withClient(values, (client) => restore(client, { from, drop: values.drop === true, say }));
    }
    default:
      throw new Error(USAGE);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
});
