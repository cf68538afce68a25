// A prompt on the data, in the words that people know from mongosh: db.tickets.find({...}), show collections, use NAME.
import { start } from 'node:repl';
import { type Db, type MongoClient, ObjectId } from 'mongodb';

const HELP = `  show dbs                 databases
  show collections         collections of this one
  use NAME                 another database
  db.NAME.find({...})      a cursor: its first 20 documents are shown
  db.NAME.findOne, insertOne, updateOne, deleteMany, countDocuments, aggregate, createIndex, ...
  exit                     leaves`;

const SHOWN = 20;

/** db.tickets is the collection tickets; what the driver's database has by itself comes first. */
function named(db: Db): Db {
  return new Proxy(db, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name, target);
      if (own !== undefined || typeof name === 'symbol')
        return typeof own === 'function' ? own.bind(target) : own;
      return target.collection(name);
    },
  });
}

type Listing = AsyncIterable<unknown>;
const isListing = (value: unknown): value is Listing =>
  typeof value === 'object' && value !== null && 'toArray' in value && Symbol.asyncIterator in value;

async function shown(value: unknown): Promise<unknown> {
  if (!isListing(value)) return value;
  const rows: unknown[] = [];
  for await (const row of value) if (rows.push(row) === SHOWN) break;
  return rows;
}

async function words(client: MongoClient, db: Db, line: string): Promise<unknown> {
  if (/^show (dbs|databases)$/.test(line)) {
    const { databases } = await client.db('admin').admin().listDatabases();
    return databases.map(({ name }) => name);
  }
  if (/^show (collections|tables)$/.test(line))
    return (await db.listCollections().toArray()).map(({ name }) => name);
  return undefined;
}

export function openShell(client: MongoClient, name: string): Promise<void> {
  let db = client.db(name);
  const prompt = start({ prompt: `${name}> `, useGlobal: false, ignoreUndefined: true });
  const plain = prompt.eval;
  prompt.context.db = named(db);
  prompt.context.ObjectId = ObjectId;

  function use(database: string): string {
    db = client.db(database);
    prompt.context.db = named(db);
    prompt.setPrompt(`${database}> `);
    return `using ${database}`;
  }

  async function answer(line: string, context: typeof prompt.context, file: string): Promise<unknown> {
    const wanted = /^use ([\w-]+)$/.exec(line);
    if (wanted?.[1]) return use(wanted[1]);
    if (line === 'help') return HELP;
    if (line.startsWith('show ')) return words(client, db, line);
    const value = await new Promise((done, failed) =>
      plain.call(prompt, line, context, file, (error, result: unknown) =>
        error ? failed(error) : done(result),
      ),
    );
    return shown(await value);
  }

  // Lines are answered one after another, also when they come through a pipe that is closed behind them.
  let last: Promise<unknown> = Promise.resolve();
  Object.defineProperty(prompt, 'eval', {
    value(
      code: string,
      context: typeof prompt.context,
      file: string,
      done: (error: unknown, value?: unknown) => void,
    ) {
      const line = code.trim();
      last = last.then(() => (line === 'exit' ? prompt.close() : answer(line, context, file)));
      last = last.then(
        (value) => done(null, value),
        (error) => done(error),
      );
    },
  });
  return new Promise((closed) => prompt.once('exit', () => void last.then(() => closed())));
}
