// Data out to files and back in, through the wire: the same files move between the engine and a real MongoDB. One file of
// documents for a collection (NDJSON as canonical extended JSON, or BSON as mongodump writes), one for its indexes.
import { once } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  BSON,
  type Collection,
  type CollectionInfo,
  type Db,
  type Document,
  type MongoClient,
} from 'mongodb';

const { EJSON } = BSON;

type Say = (line: string) => void;
export type DumpOptions = { out: string; format: 'ndjson' | 'bson'; database: string | undefined; say: Say };
export type RestoreOptions = { from: string; drop: boolean; say: Say };

const PROGRESS_EVERY = 10_000;
const BATCH = 1_000;
const BATCH_BYTES = 8 * 1024 * 1024;
const OWN = new Set(['admin', 'config', 'local']);

const METADATA = '.metadata.json';

async function databasesOf(client: MongoClient, only: string | undefined): Promise<string[]> {
  if (only !== undefined) return [only];
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
  return databases.map(({ name }) => String(name)).filter((name) => !OWN.has(name));
}

export async function dump(client: MongoClient, options: DumpOptions): Promise<void> {
  const { out, format, say } = options;
  for (const database of await databasesOf(client, options.database)) {
    const db = client.db(database);
    mkdirSync(join(out, database), { recursive: true });
    for (const { name, options: made } of await db
      .listCollections<CollectionInfo>({ type: 'collection' })
      .toArray()) {
      const collection = db.collection(name);
      const base = join(out, database, encodeURIComponent(name));
      const indexes = await collection.listIndexes().toArray();
      writeFileSync(base + METADATA, `${EJSON.stringify({ options: made, indexes }, { relaxed: false })}\n`);
      const written = await writeDocuments(collection, `${base}.${format}`, say);
      say(`${database}.${name}: ${written} documents, ${indexes.length} indexes`);
    }
  }
}

async function writeDocuments(collection: Collection, path: string, say: Say): Promise<number> {
  const total = await collection.countDocuments();
  const file = createWriteStream(path);
  let done = 0;
  for await (const raw of collection.find({}, { raw: true, batchSize: BATCH })) {
    const bytes = raw as unknown as Uint8Array;
    if (!file.write(path.endsWith('.bson') ? Buffer.from(bytes) : asLine(bytes))) await once(file, 'drain');
    if (++done % PROGRESS_EVERY === 0) say(`${collection.namespace}: ${done} of ${total}`);
  }
  file.end();
  await once(file, 'finish');
  return done;
}

const LOSSLESS = {
  promoteValues: false,
  promoteLongs: false,
  bsonRegExp: true,
  promoteBuffers: false,
} as const;

const asLine = (bytes: Uint8Array): string =>
  `${EJSON.stringify(BSON.deserialize(bytes, LOSSLESS), { relaxed: false })}\n`;

async function* linesOf(file: string): AsyncGenerator<Document> {
  for await (const line of createInterface({ input: createReadStream(file) }))
    if (line.trim() !== '') yield EJSON.parse(line, { relaxed: false }) as Document;
}

async function* documentsOf(file: string): AsyncGenerator<Document> {
  if (file.endsWith('.ndjson')) {
    yield* linesOf(file);
    return;
  }
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(file)) {
    held = held.length === 0 ? (chunk as Buffer) : Buffer.concat([held, chunk as Buffer]);
    while (held.length >= 4 && held.length >= held.readInt32LE(0)) {
      const size = held.readInt32LE(0);
      if (size < 5) throw new Error(`${file} is damaged: a document of ${size} bytes`);
      yield BSON.deserialize(held.subarray(0, size), LOSSLESS);
      held = held.subarray(size);
    }
  }
  if (held.length > 0) throw new Error(`${file} is cut off: ${held.length} bytes are left over`);
}

export async function restore(client: MongoClient, { from, drop, say }: RestoreOptions): Promise<void> {
  const databases = readdirSync(from, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name: database } of databases)
    for (const file of readdirSync(join(from, database)).filter((each) => each.endsWith(METADATA))) {
      const name = file.slice(0, -METADATA.length);
      const base = join(from, database, name);
      await restoreCollection(client.db(database), decodeURIComponent(name), base, drop, say);
    }
}

async function restoreCollection(db: Db, name: string, base: string, drop: boolean, say: Say): Promise<void> {
  const { options = {}, indexes = [] } = EJSON.parse(readFileSync(base + METADATA, 'utf8')) as {
    options?: Document;
    indexes?: Document[];
  };
  const collection = db.collection(name);
  if (drop) await collection.drop().catch(() => undefined);
  const there = await db.listCollections({ name }).hasNext();
  if (!there) await db.createCollection(name, options);
  const file = ['.ndjson', '.bson'].map((ending) => base + ending).find(existsSync);
  let done = 0;
  let batch: Document[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await collection.insertMany(batch, { ordered: true });
    done += batch.length;
    batch = [];
    bytes = 0;
    if (done % PROGRESS_EVERY === 0 && done > 0) say(`${collection.namespace}: ${done}`);
  };
  for await (const document of file ? documentsOf(file) : []) {
    batch.push(document);
    bytes += BSON.calculateObjectSize(document);
    if (batch.length >= BATCH || bytes > BATCH_BYTES) await flush();
  }
  await flush();
  for (const { key, v: _, ns: __, ...wanted } of indexes)
    if (wanted.name !== '_id_') await collection.createIndex(keyOf(key, wanted), wanted);
  say(`${collection.namespace}: ${done} documents, ${indexes.length} indexes`);
}

/** A text index is listed by what it is inside; it is asked for by its weights. */
function keyOf(key: Document, options: Document): Document {
  if (key._fts !== 'text') return key;
  return Object.fromEntries(Object.keys(options.weights ?? {}).map((path) => [path, 'text']));
}
