// What createIndexes accepts, when a wanted index is the one that is there already, and which one is meant.
import type { Collection } from './catalogue.ts';
import { collator } from './collation.ts';
import { type Doc, isDoc } from './documents.ts';
import { bad, fault, unsupported } from './errors.ts';
import type { Index } from './indexes.ts';
import { compileFilter } from './matching.ts';
import { REFERENCE } from './paths.ts';
import { show } from './showing.ts';
import { equal, isNumber, toNumber, typeName } from './values.ts';
import { words } from './words.ts';

const FLAGS = ['unique', 'sparse'];
const KNOWN = new Set(
  words(`unique sparse v key name background ns expireAfterSeconds partialFilterExpression collation
  weights default_language language_override textIndexVersion`),
);
const LACKING = new Set(
  words(`hidden storageEngine wildcardProjection 2dsphereIndexVersion bits min max bucketSize clustered
  prepareUnique dropDups originalSpec coarsestIndexedLevel finestIndexedLevel`),
);
const LACKING_KINDS = new Set(words('2d 2dsphere 2dsphere_bucket geoHaystack columnstore hashed'));

function cannot(message: string): never {
  fault(67, message);
}

function checkKey(key: unknown): asserts key is Doc {
  if (!isDoc(key)) fault(14, `The field 'key' must be an object, but got ${typeName(key)}`);
  if (Object.keys(key).length === 0) cannot('Index keys cannot be empty.');
  for (const [path, direction] of Object.entries(key)) {
    const parts = path.split('.');
    if (parts.includes('')) cannot('Index keys cannot contain an empty field.');
    if (parts.some((part) => part.startsWith('$') && part !== '$**' && !REFERENCE.has(part)))
      cannot(`Index key contains an illegal field name: field name starts with '$'. key: ${show(key)}`);
    if (LACKING_KINDS.has(String(direction))) unsupported(`an index of type ${direction}`);
    if (path.endsWith('$**') && direction !== 'text') unsupported('a wildcard index');
    if (direction === 'text') continue;
    if (typeof direction === 'string') cannot(`Unknown index plugin '${direction}'`);
    if (!isNumber(direction))
      cannot(`Values in an index key pattern must be numbers or strings, not ${typeName(direction)}`);
    if (!(Math.abs(toNumber(direction)) > 0)) cannot('Values in the index key pattern cannot be 0.');
  }
}

const defaultName = (key: Doc): string =>
  Object.entries(key)
    .map(([path, direction]) => `${path}_${isNumber(direction) ? toNumber(direction) : direction}`)
    .join('_');

const UNFIT = /"\$(ne|nin|not|nor|regex|where|expr|text)"/;

function checkPartial({ partialFilterExpression: partial, sparse }: Doc): void {
  if (partial === undefined) return;
  if (!isDoc(partial)) fault(14, 'The field partialFilterExpression must be an object');
  if (sparse === true) cannot('cannot mix "partialFilterExpression" and "sparse" options');
  const [unfit] = UNFIT.exec(JSON.stringify(partial)) ?? [];
  if (unfit) cannot(`Expression not supported in partial index: ${unfit}`);
  compileFilter(partial);
}

function checkLifetime({ expireAfterSeconds: seconds, key }: Doc): void {
  if (seconds === undefined) return;
  if (!isNumber(seconds) || toNumber(seconds) < 0 || toNumber(seconds) > 2_147_483_647)
    cannot(`TTL index 'expireAfterSeconds' must be within an acceptable range, but got ${show(seconds)}`);
  const fields = Object.keys(key as Doc);
  if (fields.length > 1) cannot('TTL indexes are single-field indexes, compound indexes do not support TTL');
  if (fields[0] === '_id')
    fault(197, "The field 'expireAfterSeconds' is not valid for an _id index specification.");
}

/** A wanted index as it will be kept, with defaults filled in. */
export function normalise(c: Collection | undefined, wanted: unknown): Doc {
  if (!isDoc(wanted)) fault(14, "'createIndexes.indexes' must hold objects");
  const { key, background: _, ns: __, v: ___, name, ...options } = wanted;
  for (const option of Object.keys(options)) {
    if (LACKING.has(option)) unsupported(`the index option ${option}`);
    if (!KNOWN.has(option))
      fault(197, `The field '${option}' is not valid for an index specification: ${show(wanted)}`);
  }
  checkKey(key);
  const spec: Doc = { v: 2, key, name: name ?? defaultName(key), ...options };
  if (typeof spec.name !== 'string' || spec.name === '')
    cannot('The index name must be a string that is not empty');
  if (spec.name === '*') bad("The index name '*' is not valid.");
  for (const flag of FLAGS) {
    const { [flag]: value = false } = spec;
    if (typeof value !== 'boolean' && !isNumber(value))
      fault(14, `The field '${flag}' has value ${show(value)}, which is not convertible to bool`);
    if (value === true || (value !== false && toNumber(value) !== 0)) spec[flag] = true;
    else delete spec[flag];
  }
  if (spec.collation === undefined && c?.options.collation) spec.collation = c.options.collation;
  if (isDoc(spec.collation) && spec.collation.locale === 'simple') delete spec.collation;
  collator(spec.collation);
  checkPartial(spec);
  checkLifetime(spec);
  return Object.values(key).includes('text') ? asText(spec, key) : spec;
}

/** The texts are one field among the others, which only order the key: their conditions are asked of what is found. */
function asText(spec: Doc, key: Doc): Doc {
  if (spec.unique) cannot('A text index cannot be unique');
  const weights: Doc = {};
  const kept: Doc = {};
  for (const [path, direction] of Object.entries(key)) {
    if (direction === 'text') weights[path] = 1;
    Object.assign(kept, direction === 'text' ? { _fts: 'text', _ftsx: 1 } : { [path]: direction });
  }
  for (const [path, weight] of Object.entries((spec.weights ?? {}) as Doc)) {
    if (!isNumber(weight) || toNumber(weight) < 1 || toNumber(weight) > 99999)
      cannot('text index weight must be in the exclusive interval (0,100000)');
    weights[path] = weight;
  }
  const { default_language: language = 'english', language_override: override = 'language' } = spec;
  if (!['english', 'en', 'none'].includes(String(language))) unsupported(`text search in ${language}`);
  const text = { weights, default_language: language, language_override: override, textIndexVersion: 3 };
  return { ...spec, key: kept, ...text };
}

const IDENTITY = words('collation partialFilterExpression unique sparse');
const OPTIONS = [...IDENTITY, 'expireAfterSeconds', 'weights'];

const alike = (a: Doc, b: Doc, options: readonly string[]): boolean =>
  options.every((option) => equal(a[option] ?? null, b[option] ?? null));

/** Whether it is there already; throws when another is in its place. */
export function isThere(c: Collection, spec: Doc): boolean {
  if (equal(spec.key, { _id: 1 })) {
    if (spec.sparse || spec.partialFilterExpression)
      fault(197, "'sparse' or 'partialFilterExpression' is not valid for an _id index specification.");
    return true;
  }
  for (const { spec: known, kind } of c.indexes) {
    const sameName = known.name === spec.name;
    const sameKey = equal(known.key, spec.key) && alike(known, spec, IDENTITY);
    const same = sameKey && alike(known, spec, OPTIONS);
    if (sameName && same) return true;
    const both = `Requested index: ${show(spec)}, existing index: ${show(known)}`;
    if (sameName && !sameKey)
      fault(86, `An existing index has the same name, and another key or options. ${both}`);
    if (same) fault(85, `Index already exists with a different name: ${known.name}`);
    if (sameKey) fault(85, `An equivalent index already exists with different options. ${both}`);
    if (kind === 'text' && spec.weights)
      fault(85, 'only one text index per collection allowed, found existing text index');
  }
  if (c.indexes.length >= 64) cannot(`add index fails, too many indexes for ${c.database}.${c.name}`);
  return false;
}

/** Those of a name or a key, or of several; '*' is all that can be dropped. */
export function chooseIndexes(c: Collection, wanted: unknown): Index[] {
  if (wanted === '*') return c.indexes.slice(1);
  return (Array.isArray(wanted) ? wanted : [wanted]).map((one) => {
    const isText = isDoc(one) && Object.values(one).includes('text');
    const index = c.indexes.find(({ spec, kind }) =>
      typeof one === 'string' ? spec.name === one : equal(spec.key, one) || (isText && kind === 'text'),
    );
    if (!index) fault(27, `index not found: ${show(one)}`);
    if (index.name === '_id_') fault(72, 'the _id index can be neither dropped nor changed');
    return index;
  });
}
