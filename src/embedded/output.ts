// $out and $merge: the search runs wherever it runs, its result is written here, in slices.
import { ObjectId } from 'bson';
import {
  type Collection,
  collectionFor,
  create,
  drop,
  find,
  rename,
  saveCollection,
  takeId,
} from './catalogue.ts';
import { changeOne, prepare } from './changing.ts';
import { type Doc, decode, isDoc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { prepareIndex } from './indexes.ts';
import { getAt } from './paths.ts';
import { insertDoc, insertRaw } from './records.ts';
import { type Reply, type Request, type Surroundings, surroundings } from './requests.ts';
import { cursorReply, readCursorReply } from './wire.ts';
import { inSlices } from './writing.ts';

const lastStage = (body: Doc): Doc => {
  const last = Array.isArray(body.pipeline) ? body.pipeline.at(-1) : undefined;
  return isDoc(last) ? last : {};
};

export function writesResult(body: Doc): boolean {
  const { $out, $merge } = lastStage(body);
  return $out !== undefined || $merge !== undefined;
}

type Target = { database: string; collection: string };

function targetOf(spec: unknown, database: string): Target {
  const { db = database, coll } = isDoc(spec) ? spec : { coll: spec };
  if (typeof coll === 'string' && typeof db === 'string') return { database: db, collection: coll };
  return fault(9, 'the target of $out or $merge must be a collection');
}

/** The whole result, however many batches it took. */
async function resultOf(request: Request, search: (request: Request) => Promise<Reply>): Promise<Buffer[]> {
  const { engine } = request;
  const rows: Buffer[] = [];
  let reply = await search(request);
  for (;;) {
    const { id, batch } = readCursorReply(reply as Buffer);
    rows.push(...batch);
    if (id === 0n) return rows;
    const namespace = `${request.database}.${request.body.aggregate}`;
    reply = await engine.cursors.find(id, namespace).next(undefined);
  }
}

export async function writeResult(
  request: Request,
  search: (request: Request) => Promise<Reply>,
): Promise<Reply> {
  const { body, database } = request;
  const { $out, $merge } = lastStage(body);
  const pipeline = (body.pipeline as Doc[]).slice(0, -1);
  const rows = await resultOf({ ...request, body: { ...body, pipeline, cursor: {} } }, search);
  if ($out !== undefined) await replaceCollection(request, targetOf($out, database), rows);
  else await mergeInto(request, mergingOf($merge, database), rows);
  return cursorReply(0n, `${database}.${body.aggregate}`, 'firstBatch', []);
}

async function writeEach({ engine }: Request, rows: Buffer[], write: (raw: Buffer) => void): Promise<void> {
  await inSlices(engine.writer, { at: 0 }, (progress) => {
    const raw = rows[progress.at++];
    if (raw) write(raw);
    return progress.at >= rows.length;
  });
}

/** Into a new collection with the indexes of the old, which takes its name when all is there. */
async function replaceCollection(
  request: Request,
  { database, collection }: Target,
  rows: Buffer[],
): Promise<void> {
  const { catalogue, writer } = request.engine;
  const passing = `tmp.agg_out.${new ObjectId().toHexString()}`;
  const fresh: Collection = await writer.write(() => {
    const old = find(catalogue, database, collection);
    const c = create(catalogue, database, passing, old?.options ?? {});
    for (const { spec } of old?.indexes.slice(1) ?? []) c.indexes.push(prepareIndex(takeId(catalogue), spec));
    saveCollection(catalogue, c);
    return c;
  });
  try {
    await writeEach(request, rows, (raw) => insertRaw(catalogue, fresh, raw));
  } catch (error) {
    await writer.write(() => drop(catalogue, fresh));
    throw error;
  }
  await writer.write(() => {
    const old = find(catalogue, database, collection);
    if (old) drop(catalogue, old);
    rename(catalogue, fresh, database, collection);
  });
}

type Merging = { target: Target; on: string[]; matched: unknown; otherwise: unknown; variables: Doc };

const MATCHED = ['merge', 'replace', 'keepExisting', 'fail'];
const OTHERWISE = ['insert', 'discard', 'fail'];

function mergingOf(given: unknown, database: string): Merging {
  const spec = typeof given === 'string' ? { into: given } : given;
  if (!isDoc(spec)) fault(51182, '$merge requires a string or object argument');
  const { into, on = '_id', let: variables = {}, ...rest } = spec;
  const { whenMatched: matched = 'merge', whenNotMatched: otherwise = 'insert', ...unknown } = rest;
  for (const name of Object.keys(unknown)) fault(40415, `BSON field '$merge.${name}' is an unknown field.`);
  if (!Array.isArray(matched) && !MATCHED.includes(String(matched)))
    bad(`Enumeration value '${matched}' for field '$merge.whenMatched' is not a valid value.`);
  if (!OTHERWISE.includes(String(otherwise)))
    bad(`Enumeration value '${otherwise}' for field '$merge.whenNotMatched' is not a valid value.`);
  if (!isDoc(variables)) fault(14, "BSON field '$merge.let' is the wrong type, expected type 'object'");
  const paths = Array.isArray(on) ? on.map(String) : [String(on)];
  return { target: targetOf(into, database), on: paths, matched, otherwise, variables };
}

async function mergeInto(request: Request, merging: Merging, rows: Buffer[]): Promise<void> {
  const { writer, catalogue } = request.engine;
  const { target, on } = merging;
  await writer.write(() => {
    const c = collectionFor(catalogue, target.database, target.collection);
    const served = c.indexes.some(
      ({ unique, fields }) =>
        unique && fields.length === on.length && on.every((path) => fields.includes(path)),
    );
    if (!served) fault(51183, 'Cannot find index to verify that join fields will be unique');
  });
  const around = surroundings(request.body);
  await writeEach(request, rows, (raw) => mergeOne(request, merging, decode(raw), around));
}

function joinValue(doc: Doc, path: string): unknown {
  const value = getAt(doc, path.split('.'));
  if (value !== undefined && value !== null && !Array.isArray(value)) return value;
  const wrong = 'cannot be missing, null, undefined or an array';
  return fault(51132, `$merge write error: 'on' field '${path}' ${wrong}`);
}

function mergeOne({ engine }: Request, merging: Merging, found: Doc, around: Surroundings): void {
  const { target, on, matched, otherwise, variables } = merging;
  const doc = found._id === undefined ? { _id: new ObjectId(), ...found } : found;
  const filter = Object.fromEntries(on.map((path) => [path, joinValue(doc, path)]));
  const given = Object.keys(variables).map((name) => [
    name,
    compileExpression(variables[name], around.scope)(doc),
  ]);
  const constants = { new: doc, ...Object.fromEntries(given) };
  const { _id, ...fields } = found;
  const byName = matched === 'replace' ? found : { $set: matched === 'merge' ? fields : {} };
  const update = { spec: Array.isArray(matched) ? matched : byName, constants, upsert: false };
  const query = { filter, env: around };
  const effect = changeOne(engine, prepare({ ...target, query, many: false, update }));
  if (effect?.matched && matched === 'fail')
    fault(11000, '$merge with whenMatched: fail found an existing document', {
      keyPattern: Object.fromEntries(on.map((path) => [path, 1])),
      keyValue: filter,
    });
  if (effect?.matched) return;
  if (otherwise === 'fail')
    fault(13113, '$merge could not find a matching document in the target collection');
  if (otherwise === 'insert')
    insertDoc(engine.catalogue, collectionFor(engine.catalogue, target.database, target.collection), doc);
}
