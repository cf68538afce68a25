// Collections, databases and indexes: made, listed, changed, dropped and measured.
import { UUID } from 'bson';
import { cappedOptions } from './capping.ts';
import {
  type Collection,
  checkName,
  create,
  drop,
  find,
  indexRange,
  namespace,
  notFound,
  rename,
  saveCollection,
  validatorOf,
} from './catalogue.ts';
import { type Doc, isDoc } from './documents.ts';
import { encode } from './encoding.ts';
import { bad, fault, unsupported } from './errors.ts';
import { addIndexes, removeIndex } from './indexing.ts';
import { compileFilter } from './matching.ts';
import { listReply } from './read-commands.ts';
import { type Command, docOf, flagOf, numberOf, type Reply, type Request } from './requests.ts';
import { show } from './showing.ts';
import { equal, isNumber, toNumber } from './values.ts';
import { words } from './words.ts';

const VALIDATION = ['validator', 'validationLevel', 'validationAction'];
const OPTIONS = [...VALIDATION, 'collation', 'clusteredIndex'];
const CAPPED = ['capped', 'size', 'max'];
const IGNORED = ['indexOptionDefaults', 'storageEngine', 'autoIndexId', 'flags', 'temp', 'idIndex'];
const LACKING = words(
  `viewOn pipeline timeseries expireAfterSeconds encryptedFields changeStreamPreAndPostImages`,
);

/** The options of `names` that a body gives. */
const given = (body: Doc, names: readonly string[]): Doc =>
  Object.fromEntries(names.filter((name) => body[name] !== undefined).map((name) => [name, body[name]]));

function createCollection({ engine, database, body }: Request): Promise<Doc> {
  const name = body.create;
  checkName(database, name);
  for (const [option, value] of Object.entries(given(body, LACKING)))
    if (value !== false && !(isDoc(value) && value.enabled === false))
      unsupported(`the collection option ${option}`);
  const options: Doc = { ...cappedOptions(body), ...given(body, OPTIONS) };
  const clustered = clustering(docOf(body, 'create', 'clusteredIndex'));
  if (clustered) options.clusteredIndex = clustered;
  docOf(body, 'create', 'validator');
  validatorOf(options);
  return engine.writer.write(() => {
    const known = find(engine.catalogue, database, name);
    if (known && !equal(known.options, options))
      fault(
        48,
        `namespace ${database}.${name} already exists, but with other options: ${show(known.options)}`,
      );
    if (!known) create(engine.catalogue, database, name, options);
    return { ok: 1 };
  });
}

/** Documents are found by _id at once in any case: the wish is kept, and told to those who ask. */
function clustering(wanted: Doc | undefined): Doc | undefined {
  if (!wanted) return undefined;
  if (!equal(wanted.key, { _id: 1 }) || wanted.unique !== true)
    fault(197, 'The clusteredIndex option requires key: {_id: 1} and unique: true');
  return { v: 2, key: wanted.key, name: wanted.name ?? '_id_', unique: true };
}

function dropCollection({ engine, database, body }: Request): Promise<Doc> {
  const name = body.drop;
  checkName(database, name);
  return engine.writer.write(() => {
    const c = find(engine.catalogue, database, name);
    if (!c) return { ok: 1 };
    drop(engine.catalogue, c);
    return { nIndexesWas: c.indexes.length, ns: namespace(c), ok: 1 };
  });
}

function dropDatabase({ engine, database }: Request): Promise<Doc> {
  return engine.writer.write(() => {
    const collections = engine.catalogue.databases.get(database);
    if (!collections) return { ok: 1 };
    for (const c of [...collections.values()]) drop(engine.catalogue, c);
    return { dropped: database, ok: 1 };
  });
}

function splitNamespace(value: unknown, field: string): [string, string] {
  const text = typeof value === 'string' ? value : '';
  const dot = text.indexOf('.');
  if (dot < 1) fault(73, `Invalid namespace specified for ${field}: '${text}'`);
  return [text.slice(0, dot), text.slice(dot + 1)];
}

function renameCollection({ engine, body }: Request): Promise<Doc> {
  const [fromDatabase, from] = splitNamespace(body.renameCollection, 'renameCollection');
  const [toDatabase, to] = splitNamespace(body.to, 'to');
  return engine.writer.write(() => {
    const c = find(engine.catalogue, fromDatabase, from);
    if (!c) fault(26, `Source collection ${fromDatabase}.${from} does not exist`);
    const target = find(engine.catalogue, toDatabase, to);
    if (target === c) fault(20, "Can't rename a collection to itself");
    if (target && flagOf(body, 'renameCollection', 'dropTarget') !== true)
      fault(48, 'target namespace exists');
    checkName(toDatabase, to);
    if (target) drop(engine.catalogue, target);
    rename(engine.catalogue, c, toDatabase, to);
    return { ok: 1 };
  });
}

const collectionsIn = ({ engine, database }: Request): Collection[] => [
  ...(engine.catalogue.databases.get(database)?.values() ?? []),
];

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
  const total = engine.storage.size();
  const names = [...engine.catalogue.databases.keys()].sort();
  const share = Math.ceil(total / Math.max(1, names.length));
  const databases = filtered(
    request,
    names.map((each) => ({ name: each, sizeOnDisk: share, empty: false })),
  );
  if (flagOf(body, name, 'nameOnly'))
    return { databases: databases.map((each) => ({ name: each.name })), ok: 1 };
  return { databases, totalSize: total, totalSizeMb: Math.round(total / 1_048_576), ok: 1 };
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
  const c = find(engine.catalogue, database, name);
  if (!c) throw notFound(database, name);
  return c;
}

function listIndexes(request: Request): Reply {
  const c = collectionOf(request, request.body.listIndexes);
  const { clusteredIndex } = c.options;
  const specs = c.indexes
    .filter(({ building }) => !building)
    .map(({ spec }, i) => (i === 0 && isDoc(clusteredIndex) ? { ...clusteredIndex, clustered: true } : spec));
  return listReply(request, namespace(c), specs.map(encode));
}

function dropIndexes(request: Request): Promise<Doc> {
  const { engine, body } = request;
  return engine.writer.write(() => {
    const c = collectionOf(request, body.dropIndexes ?? body.deleteIndexes);
    const was = c.indexes.length;
    const chosen = body.index === '*' ? c.indexes.slice(1) : chooseIndexes(c, body.index);
    for (const index of chosen) removeIndex(engine.catalogue, c, index);
    return { nIndexesWas: was, ok: 1 };
  });
}

function chooseIndexes(c: Collection, wanted: unknown) {
  return (Array.isArray(wanted) ? wanted : [wanted]).map((one) => {
    const isText = isDoc(one) && Object.values(one).includes('text');
    const index = c.indexes.find(({ spec, weights }) =>
      typeof one === 'string' ? spec.name === one : equal(spec.key, one) || (isText && weights.length > 0),
    );
    if (!index)
      fault(
        27,
        typeof one === 'string'
          ? `index not found with name [${one}]`
          : `can't find index with key: ${show(one)}`,
      );
    if (index.name === '_id_') fault(72, 'cannot drop _id index');
    return index;
  });
}

const UNCHANGED = ['viewOn', 'pipeline', 'expireAfterSeconds', 'cappedSize', 'cappedMax', 'timeseries'];

function collMod(request: Request): Promise<Doc> {
  const { engine, body } = request;
  return engine.writer.write(() => {
    const c = collectionOf(request, body.collMod);
    for (const option of Object.keys(given(body, UNCHANGED))) unsupported(`collMod with ${option}`);
    const options = { ...c.options, ...given(body, VALIDATION) };
    validatorOf(options);
    const changed = modifyIndex(c, docOf(body, 'collMod', 'index'));
    c.options = options;
    saveCollection(engine.catalogue, c);
    return { ...changed, ok: 1 };
  });
}

function modifyIndex(c: Collection, wanted: Doc | undefined): Doc {
  if (!wanted) return {};
  const { name, keyPattern, expireAfterSeconds: seconds, hidden, ...others } = wanted;
  const index = c.indexes.find(({ spec }) =>
    name === undefined ? equal(spec.key, keyPattern) : spec.name === name,
  );
  if (!index) fault(27, `cannot find index ${show(name ?? keyPattern)} for ns ${namespace(c)}`);
  for (const option of Object.keys(others)) unsupported(`collMod of an index's ${option}`);
  const changed: Doc = {};
  const change = (option: string, was: unknown, now: unknown): void => {
    if (was !== undefined) changed[`${option}_old`] = was;
    changed[`${option}_new`] = now;
    index.spec[option] = now;
  };
  if (seconds !== undefined) {
    if (!isNumber(seconds) || toNumber(seconds) < 0)
      fault(72, 'expireAfterSeconds must be a number that is not negative');
    change('expireAfterSeconds', index.spec.expireAfterSeconds, seconds);
  }
  if (hidden !== undefined) {
    change('hidden', index.hidden, hidden === true);
    index.hidden = hidden === true;
  }
  return changed;
}

/** Sizes by the keys and values themselves; of a large collection from its first thousand documents. */
function measure({ engine }: Request, c: Collection): { size: number; average: number } {
  let bytes = 0;
  let seen = 0;
  for (const { value } of engine.storage.entries(c.records)) {
    bytes += value.length;
    if (++seen === 1000) break;
  }
  const average = seen === 0 ? 0 : Math.round(bytes / seen);
  return { size: seen < 1000 ? bytes : average * c.count, average };
}

function collStats(request: Request): Doc {
  const { engine, database, body } = request;
  const name = body.collStats ?? body.collstats;
  checkName(database, name);
  const scale = numberOf(body, 'collStats', 'scale') ?? 1;
  const c = find(engine.catalogue, database, name);
  const { size, average } = c ? measure(request, c) : { size: 0, average: 0 };
  const sizes = (c?.indexes ?? []).map((index): [string, number] => [
    index.name,
    engine.storage.some(indexRange(index), 1).length > 0 ? 4096 : 0,
  ]);
  return {
    ns: `${database}.${name}`,
    size: Math.floor(size / scale),
    count: c?.count ?? 0,
    ...(average > 0 ? { avgObjSize: average } : {}),
    storageSize: size,
    nindexes: sizes.length,
    indexSizes: Object.fromEntries(sizes),
    totalIndexSize: sizes.reduce((sum, [, each]) => sum + each, 0),
    capped: c?.options.capped === true,
    scaleFactor: scale,
    ok: 1,
  };
}

function dbStats(request: Request): Doc {
  const { engine, database } = request;
  const collections = collectionsIn(request);
  const objects = collections.reduce((sum, { count }) => sum + count, 0);
  const dataSize = collections.reduce((sum, c) => sum + measure(request, c).size, 0);
  return {
    db: database,
    collections: collections.length,
    views: 0,
    objects,
    avgObjSize: objects === 0 ? 0 : dataSize / objects,
    dataSize,
    storageSize: engine.storage.size(),
    indexes: collections.reduce((sum, { indexes }) => sum + indexes.length, 0),
    indexSize: 0,
    totalSize: engine.storage.size(),
    scaleFactor: 1,
    ok: 1,
  };
}

export const CATALOGUE_COMMANDS: Record<string, Command> = {
  create: { run: createCollection, fields: [...OPTIONS, ...CAPPED, ...IGNORED, ...LACKING] },
  drop: { run: dropCollection, fields: [] },
  dropDatabase: { run: dropDatabase, fields: [] },
  renameCollection: { run: renameCollection, fields: ['to', 'dropTarget', 'stayTemp'] },
  listCollections: {
    run: listCollections,
    fields: ['filter', 'nameOnly', 'authorizedCollections', 'cursor'],
  },
  listDatabases: { run: listDatabases, fields: ['filter', 'nameOnly', 'authorizedDatabases'] },
  createIndexes: { run: createIndexes, fields: ['indexes', 'commitQuorum', 'ignoreUnknownIndexOptions'] },
  listIndexes: { run: listIndexes, fields: ['cursor', 'includeBuildUUIDs', 'includeIndexBuildInfo'] },
  dropIndexes: { run: dropIndexes, fields: ['index'] },
  deleteIndexes: { run: dropIndexes, fields: ['index'] },
  collMod: { run: collMod },
  collStats: { run: collStats, fields: ['scale'] },
  collstats: { run: collStats, fields: ['scale'] },
  dbStats: { run: dbStats, fields: ['scale', 'freeStorage'] },
  dbstats: { run: dbStats, fields: ['scale', 'freeStorage'] },
};
