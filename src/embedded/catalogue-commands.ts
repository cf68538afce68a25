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
  refuseView,
  rename,
  saveCollection,
  validatorOf,
} from './catalogue.ts';
import { type Doc, isDoc } from './documents.ts';
import { encode } from './encoding.ts';
import { fault } from './errors.ts';
import { addIndexes, removeIndex } from './indexing.ts';
import { compileFilter } from './matching.ts';
import { listReply } from './read-commands.ts';
import { type Command, docOf, flagOf, numberOf, type Reply, type Request, unsupported } from './requests.ts';
import { show } from './showing.ts';
import { equal, isNumber, toNumber } from './values.ts';
import { checkView } from './views.ts';

const OPTIONS = [
  'validator',
  'validationLevel',
  'validationAction',
  'collation',
  'clusteredIndex',
  'viewOn',
  'pipeline',
];
const IGNORED = ['indexOptionDefaults', 'storageEngine', 'autoIndexId', 'flags', 'temp'];
const CAPPED = ['capped', 'size', 'max'];
const LACKING = ['timeseries', 'expireAfterSeconds', 'encryptedFields', 'changeStreamPreAndPostImages'];

function createCollection({ engine, database, body }: Request): Promise<Doc> {
  const name = body.create;
  checkName(database, name);
  for (const option of LACKING) {
    const value = body[option];
    const off = value === undefined || value === false || (isDoc(value) && value.enabled === false);
    if (!off) unsupported(`the collection option ${option}`);
  }
  checkView(engine.catalogue, database, body);
  const options: Doc = cappedOptions(body);
  for (const option of OPTIONS) if (body[option] !== undefined) options[option] = body[option];
  const clustered = clustering(docOf(body, 'create', 'clusteredIndex'));
  if (clustered) options.clusteredIndex = clustered;
  if (options.validator !== undefined && !isDoc(options.validator))
    fault(14, "BSON field 'create.validator' is the wrong type, expected type 'object'");
  validatorOf(options);
  return engine.writer.write(() => {
    const known = find(engine.catalogue, database, name);
    if (known && !equal(known.options, options))
      fault(
        48,
        `namespace ${database}.${name} already exists, but with different options: ${show(known.options)}`,
      );
    if (!known) create(engine.catalogue, database, name, options);
    return { ok: 1 };
  });
}

/** Documents are found by _id at once in any case: the wish is kept, and told to those who ask. */
function clustering(wanted: Doc | undefined): Doc | undefined {
  if (!wanted) return undefined;
  if (!equal(wanted.key, { _id: 1 }))
    fault(197, 'The clusteredIndex option is only supported for key: {_id: 1}');
  if (wanted.unique !== true) fault(197, 'The clusteredIndex option requires unique: true to be specified');
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

function listCollections(request: Request): Reply {
  const { engine, database, body } = request;
  const filter = docOf(body, 'listCollections', 'filter');
  const matches = filter ? compileFilter(filter) : () => true;
  const collections = [...(engine.catalogue.databases.get(database)?.values() ?? [])];
  const listed = collections
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((c) => ({
      name: c.name,
      ...(c.options.viewOn
        ? { type: 'view', options: c.options, info: { readOnly: true } }
        : {
            type: 'collection',
            options: c.options,
            info: { readOnly: false, uuid: new UUID(c.uuid) },
            idIndex: c.indexes[0]?.spec ?? {},
          }),
    }))
    .filter(matches)
    .map((each) =>
      encode(flagOf(body, 'listCollections', 'nameOnly') ? { name: each.name, type: each.type } : each),
    );
  return listReply(request, `${database}.$cmd.listCollections`, listed);
}

function listDatabases({ engine, body }: Request): Doc {
  const filter = docOf(body, 'listDatabases', 'filter');
  const matches = filter ? compileFilter(filter) : () => true;
  const total = engine.storage.size();
  const share = Math.ceil(total / Math.max(1, engine.catalogue.databases.size));
  const databases = [...engine.catalogue.databases.keys()]
    .sort()
    .map((name) => ({ name, sizeOnDisk: share, empty: false }))
    .filter(matches);
  if (flagOf(body, 'listDatabases', 'nameOnly'))
    return { databases: databases.map(({ name }) => ({ name })), ok: 1 };
  return { databases, totalSize: total, totalSizeMb: Math.round(total / 1_048_576), ok: 1 };
}

async function createIndexes({ engine, database, body }: Request): Promise<Doc> {
  const name = body.createIndexes;
  checkName(database, name);
  const wanted = body.indexes;
  if (!Array.isArray(wanted))
    fault(40414, "BSON field 'createIndexes.indexes' is missing but a required field");
  if (wanted.length === 0) fault(2, 'Must specify at least one index to create');
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
  refuseView(c);
  return c;
}

function listIndexes(request: Request): Reply {
  const c = collectionOf(request, request.body.listIndexes);
  const { clusteredIndex } = c.options;
  const specs = c.indexes
    .filter(({ building }) => !building)
    .map(({ spec }, i) =>
      encode(i === 0 && isDoc(clusteredIndex) ? { ...clusteredIndex, clustered: true } : spec),
    );
  return listReply(request, namespace(c), specs);
}

function dropIndexes(request: Request): Promise<Doc> {
  const { engine, body, database } = request;
  const name = body.dropIndexes ?? body.deleteIndexes;
  return engine.writer.write(() => {
    checkName(database, name);
    const c = find(engine.catalogue, database, name);
    if (!c) fault(26, `ns not found ${database}.${name}`);
    const was = c.indexes.length;
    const chosen = body.index === '*' ? c.indexes.slice(1) : chooseIndexes(c, body.index);
    for (const index of chosen) removeIndex(engine.catalogue, c, index);
    return { nIndexesWas: was, ok: 1 };
  });
}

function chooseIndexes(c: Collection, wanted: unknown) {
  return (Array.isArray(wanted) ? wanted : [wanted]).map((each) => {
    const index = c.indexes.find(({ spec, weights }) =>
      typeof each === 'string'
        ? spec.name === each
        : equal(spec.key, each) ||
          (isDoc(each) && weights.length > 0 && Object.values(each).includes('text')),
    );
    if (!index)
      fault(
        27,
        typeof each === 'string'
          ? `index not found with name [${each}]`
          : `can't find index with key: ${show(each)}`,
      );
    if (index.name === '_id_') fault(72, 'cannot drop _id index');
    return index;
  });
}

function collMod(request: Request): Promise<Doc> {
  const { engine, body } = request;
  return engine.writer.write(() => {
    const c = collectionOf(request, body.collMod);
    for (const option of [
      'viewOn',
      'pipeline',
      'expireAfterSeconds',
      'cappedSize',
      'cappedMax',
      'timeseries',
    ])
      if (body[option] !== undefined) unsupported(`collMod with ${option}`);
    const options = { ...c.options };
    for (const option of ['validator', 'validationLevel', 'validationAction'])
      if (body[option] !== undefined) options[option] = body[option];
    validatorOf(options);
    const changed = modifyIndex(c, docOf(body, 'collMod', 'index'));
    c.options = options;
    saveCollection(engine.catalogue, c);
    return { ...changed, ok: 1 };
  });
}

function modifyIndex(c: Collection, wanted: Doc | undefined): Doc {
  if (!wanted) return {};
  const index = c.indexes.find(({ spec }) =>
    wanted.name === undefined ? equal(spec.key, wanted.keyPattern) : spec.name === wanted.name,
  );
  if (!index) fault(27, `cannot find index ${show(wanted.name ?? wanted.keyPattern)} for ns ${namespace(c)}`);
  for (const option of Object.keys(wanted))
    if (!['name', 'keyPattern', 'expireAfterSeconds', 'hidden'].includes(option))
      unsupported(`collMod of an index's ${option}`);
  const changed: Doc = {};
  if (wanted.expireAfterSeconds !== undefined) {
    if (!isNumber(wanted.expireAfterSeconds) || toNumber(wanted.expireAfterSeconds) < 0)
      fault(72, 'expireAfterSeconds must be a number that is not negative');
    if (index.spec.expireAfterSeconds !== undefined)
      changed.expireAfterSeconds_old = index.spec.expireAfterSeconds;
    changed.expireAfterSeconds_new = wanted.expireAfterSeconds;
    index.spec.expireAfterSeconds = wanted.expireAfterSeconds;
  }
  if (wanted.hidden !== undefined) {
    changed.hidden_old = index.hidden;
    changed.hidden_new = wanted.hidden === true;
    index.hidden = wanted.hidden === true;
    index.spec.hidden = index.hidden;
  }
  return changed;
}

/** Sizes by the keys and values themselves; of a large collection from its first thousand documents. */
export function measure({ engine }: Request, c: Collection): { size: number; average: number } {
  let bytes = 0;
  let seen = 0;
  for (const { value } of engine.storage.entries(c.records)) {
    bytes += value.length;
    if (++seen === 1000) break;
  }
  const average = seen === 0 ? 0 : Math.round(bytes / seen);
  return { size: seen < 1000 ? bytes : average * c.count, average };
}

export function statistics(request: Request, c: Collection | undefined, database: string, name: string): Doc {
  const { size, average } = c ? measure(request, c) : { size: 0, average: 0 };
  const indexSizes: Doc = {};
  for (const index of c?.indexes ?? [])
    indexSizes[index.name] = request.engine.storage.some(indexRange(index), 1).length > 0 ? 4096 : 0;
  return {
    ns: `${database}.${name}`,
    size,
    count: c?.count ?? 0,
    ...(average > 0 ? { avgObjSize: average } : {}),
    storageSize: size,
    nindexes: c?.indexes.length ?? 0,
    indexSizes,
    totalIndexSize: Object.values(indexSizes).reduce((sum: number, each) => sum + Number(each), 0),
    capped: c?.options.capped === true,
  };
}

function collStats(request: Request): Doc {
  const { engine, database, body } = request;
  const name = body.collStats ?? body.collstats;
  checkName(database, name);
  const scale = numberOf(body, 'collStats', 'scale') ?? 1;
  const measured = statistics(request, find(engine.catalogue, database, name), database, name);
  return { ...measured, size: Math.floor(Number(measured.size) / scale), scaleFactor: scale, ok: 1 };
}

function dbStats(request: Request): Doc {
  const { engine, database } = request;
  const collections = [...(engine.catalogue.databases.get(database)?.values() ?? [])];
  const objects = collections.reduce((sum, { count }) => sum + count, 0);
  const dataSize = collections.reduce((sum, c) => sum + measure(request, c).size, 0);
  return {
    db: database,
    collections: collections.length,
    views: collections.filter(({ options }) => options.viewOn).length,
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
  create: { run: createCollection, fields: [...OPTIONS, ...CAPPED, ...IGNORED, ...LACKING, 'idIndex'] },
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
