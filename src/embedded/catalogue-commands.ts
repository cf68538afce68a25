// Collections, databases and indexes: made, listed, changed, dropped and measured.
import { UUID } from 'bson';
import {
  type Collection,
  checkName,
  create,
  drop,
  find,
  indexRange,
  namespace,
  saveCollection,
} from './catalogue.ts';
import { type Doc, encode, isDoc } from './documents.ts';
import { bad, fault, unsupported } from './errors.ts';
import { chooseIndexes } from './index-specs.ts';
import { addIndexes, removeIndex } from './indexing.ts';
import { compileFilter } from './matching.ts';
import { listReply } from './read-commands.ts';
import { type Command, docOf, flagOf, numberOf, type Reply, type Request } from './requests.ts';
import { show } from './showing.ts';
import { equal, isNumber, toNumber } from './values.ts';
import { words } from './words.ts';

const IGNORED = words(`indexOptionDefaults storageEngine autoIndexId flags temp idIndex`);
const LACKING =
  words(`viewOn pipeline timeseries expireAfterSeconds encryptedFields changeStreamPreAndPostImages
  capped size max clusteredIndex validator validationLevel validationAction cappedSize cappedMax`);

/** An option that we lack is refused, unless it only says that it is not wanted. */
function refuseLacking(body: Doc, what: string): void {
  for (const option of LACKING) {
    const { [option]: value } = body;
    const isOff = value === undefined || value === false || (isDoc(value) && value.enabled === false);
    if (!isOff) unsupported(`the option ${option} of ${what}`);
  }
}

async function createCollection({ engine, database, body }: Request): Promise<Doc> {
  const { create: name, collation } = body;
  checkName(database, name);
  refuseLacking(body, 'a collection');
  const options: Doc = collation === undefined ? {} : { collation };
  await engine.writer.write(() => {
    const known = find(engine.catalogue, database, name);
    if (!known) create(engine.catalogue, database, name, options);
    else if (!equal(known.options, options))
      fault(
        48,
        `namespace ${namespace(known)} already exists, but with other options: ${show(known.options)}`,
      );
  });
  return { ok: 1 };
}

function dropCollection({ engine, database, body }: Request): Promise<Doc> {
  const { drop: name } = body;
  checkName(database, name);
  return engine.writer.write(() => {
    const c = find(engine.catalogue, database, name);
    if (!c) return { ok: 1 };
    drop(engine.catalogue, c);
    return { nIndexesWas: c.indexes.length, ns: namespace(c), ok: 1 };
  });
}

const collectionsIn = ({ engine, database }: Request): Collection[] => [
  ...(engine.catalogue.databases.get(database)?.values() ?? []),
];

function dropDatabase(request: Request): Promise<Doc> {
  return request.engine.writer.write(() => {
    const collections = collectionsIn(request);
    for (const c of collections) drop(request.engine.catalogue, c);
    return { ...(collections.length > 0 ? { dropped: request.database } : {}), ok: 1 };
  });
}

/** What the `filter` of a list holds for. */
function filtered<T extends Doc>(request: Request, items: T[]): T[] {
  const filter = docOf(request.body, request.name, 'filter');
  return filter ? items.filter(compileFilter(filter)) : items;
}

function listCollections(request: Request): Reply {
  const { database, body, name } = request;
  const listed = collectionsIn(request)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((c) => ({
      name: c.name,
      type: 'collection',
      options: c.options,
      info: { readOnly: false, uuid: new UUID(c.uuid) },
      idIndex: c.indexes[0]?.spec ?? {},
    }));
  const short = flagOf(body, name, 'nameOnly');
  const rows = filtered(request, listed).map((one) =>
    encode(short ? { name: one.name, type: one.type } : one),
  );
  return listReply(request, `${database}.$cmd.listCollections`, rows);
}

function listDatabases(request: Request): Doc {
  const { engine, body, name } = request;
  const totalSize = engine.storage.size();
  const names = [...engine.catalogue.databases.keys()].sort();
  const sizeOnDisk = Math.ceil(totalSize / Math.max(1, names.length));
  const databases = filtered(
    request,
    names.map((each) => ({ name: each, sizeOnDisk, empty: false })),
  );
  if (flagOf(body, name, 'nameOnly'))
    return { databases: databases.map((one) => ({ name: one.name })), ok: 1 };
  return { databases, totalSize, totalSizeMb: Math.round(totalSize / 1_048_576), ok: 1 };
}

async function createIndexes({ engine, database, body }: Request): Promise<Doc> {
  const { createIndexes: name, indexes: wanted } = body;
  checkName(database, name);
  if (!Array.isArray(wanted))
    fault(40414, "BSON field 'createIndexes.indexes' is missing but a required field");
  if (wanted.length === 0) bad('Must specify at least one index to create');
  const { before, now, created } = await addIndexes(engine, database, name, wanted);
  return {
    numIndexesBefore: before,
    numIndexesAfter: now,
    createdCollectionAutomatically: created,
    ...(before === now ? { note: 'all indexes already exist' } : {}),
    ok: 1,
  };
}

function collectionOf({ engine, database }: Request, name: unknown): Collection {
  checkName(database, name);
  return find(engine.catalogue, database, name) ?? fault(26, `ns does not exist: ${database}.${name}`);
}

function listIndexes(request: Request): Reply {
  const c = collectionOf(request, request.body.listIndexes);
  const whole = c.indexes.filter(({ building }) => !building);
  return listReply(
    request,
    namespace(c),
    whole.map(({ spec }) => encode(spec)),
  );
}

function dropIndexes(request: Request): Promise<Doc> {
  const { engine, body } = request;
  return engine.writer.write(() => {
    const c = collectionOf(request, body.dropIndexes ?? body.deleteIndexes);
    const nIndexesWas = c.indexes.length;
    for (const index of chooseIndexes(c, body.index)) removeIndex(engine.catalogue, c, index);
    return { nIndexesWas, ok: 1 };
  });
}

/** Of a collection that is there only one thing can change: how long a TTL index lets documents live. */
function collMod(request: Request): Promise<Doc> {
  const { engine, body } = request;
  refuseLacking(body, 'collMod');
  return engine.writer.write(() => {
    const c = collectionOf(request, body.collMod);
    const wanted = docOf(body, 'collMod', 'index');
    if (!wanted) return { ok: 1 };
    const { name, keyPattern, expireAfterSeconds: seconds, ...others } = wanted;
    for (const option of Object.keys(others)) unsupported(`collMod of an index's ${option}`);
    const [index] = chooseIndexes(c, name ?? keyPattern);
    if (!index || !isNumber(seconds) || toNumber(seconds) < 0)
      fault(72, 'expireAfterSeconds must be a number that is not negative');
    const { expireAfterSeconds: was } = index.spec;
    index.spec.expireAfterSeconds = seconds;
    saveCollection(engine.catalogue, c);
    const old = was === undefined ? {} : { expireAfterSeconds_old: was };
    return { ...old, expireAfterSeconds_new: seconds, ok: 1 };
  });
}

/** Sizes by the values themselves; of a large collection from its first thousand documents. */
function sizeOf({ engine }: Request, c: Collection): number {
  let bytes = 0;
  let seen = 0;
  for (const { value } of engine.storage.entries(c.records)) {
    bytes += value.length;
    if (++seen === 1000) return Math.round(bytes / seen) * c.count;
  }
  return bytes;
}

function collStats(request: Request): Doc {
  const { engine, database, body } = request;
  const name = body.collStats ?? body.collstats;
  checkName(database, name);
  const scaleFactor = numberOf(body, 'collStats', 'scale') ?? 1;
  const c = find(engine.catalogue, database, name);
  const [size, count, indexes] = c ? [sizeOf(request, c), c.count, c.indexes] : [0, 0, []];
  const used = indexes.map((index): [string, number] => [
    index.name,
    engine.storage.some(indexRange(index), 1).length > 0 ? 4096 : 0,
  ]);
  return {
    ns: `${database}.${name}`,
    size: Math.floor(size / scaleFactor),
    count,
    ...(count > 0 ? { avgObjSize: Math.round(size / count) } : {}),
    storageSize: size,
    nindexes: indexes.length,
    indexSizes: Object.fromEntries(used),
    totalIndexSize: used.reduce((sum, [, each]) => sum + each, 0),
    capped: false,
    scaleFactor,
    ok: 1,
  };
}

function dbStats(request: Request): Doc {
  const { engine, database } = request;
  const collections = collectionsIn(request);
  const sum = (of: (c: Collection) => number): number => collections.reduce((total, c) => total + of(c), 0);
  const [objects, dataSize, storageSize] = [
    sum(({ count }) => count),
    sum((c) => sizeOf(request, c)),
    engine.storage.size(),
  ];
  return {
    db: database,
    collections: collections.length,
    views: 0,
    objects,
    avgObjSize: objects === 0 ? 0 : dataSize / objects,
    dataSize,
    storageSize,
    indexes: sum(({ indexes }) => indexes.length),
    indexSize: 0,
    totalSize: storageSize,
    scaleFactor: 1,
    ok: 1,
  };
}

export const CATALOGUE_COMMANDS: Record<string, Command> = {
  create: { run: createCollection, fields: ['collation', ...IGNORED, ...LACKING] },
  drop: { run: dropCollection, fields: [] },
  dropDatabase: { run: dropDatabase, fields: [] },
  listCollections: { run: listCollections, fields: words('filter nameOnly authorizedCollections cursor') },
  listDatabases: { run: listDatabases, fields: words('filter nameOnly authorizedDatabases') },
  createIndexes: { run: createIndexes, fields: words('indexes commitQuorum ignoreUnknownIndexOptions') },
  listIndexes: { run: listIndexes, fields: words('cursor includeBuildUUIDs includeIndexBuildInfo') },
  dropIndexes: { run: dropIndexes, fields: ['index'] },
  deleteIndexes: { run: dropIndexes, fields: ['index'] },
  collMod: { run: collMod },
  collStats: { run: collStats, fields: ['scale'] },
  collstats: { run: collStats, fields: ['scale'] },
  dbStats: { run: dbStats, fields: ['scale', 'freeStorage'] },
  dbstats: { run: dbStats, fields: ['scale', 'freeStorage'] },
};
