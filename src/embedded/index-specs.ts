// What createIndexes accepts, and when a wanted index is the one that is there already.
import type { Collection } from './catalogue.ts';
import { collator } from './collation.ts';
import { type Doc, isDoc } from './documents.ts';
import { fault } from './errors.ts';
import { compileFilter } from './matching.ts';
import { unsupported } from './requests.ts';
import { show } from './showing.ts';
import { equal, isNumber, toNumber, typeName } from './values.ts';

const KNOWN = new Set(
  'v key name unique sparse background expireAfterSeconds partialFilterExpression collation weights default_language language_override textIndexVersion hidden ns'.split(
    ' ',
  ),
);
const KNOWN_TO_MONGODB = new Set(
  'storageEngine wildcardProjection 2dsphereIndexVersion bits min max bucketSize clustered prepareUnique dropDups originalSpec coarsestIndexedLevel finestIndexedLevel'.split(
    ' ',
  ),
);

function cannot(message: string): never {
  fault(67, message);
}

function checkKey(key: unknown): asserts key is Doc {
  if (!isDoc(key)) fault(14, "The field 'key' must be an object, but got ".concat(typeName(key)));
  if (Object.keys(key).length === 0) cannot('Index keys cannot be empty.');
  for (const [path, direction] of Object.entries(key)) {
    if (path === '' || path.split('.').includes('')) cannot('Index keys cannot contain an empty field.');
    if (
      path
        .split('.')
        .some((part) => part.startsWith('$') && part !== '$**' && !['$id', '$ref', '$db'].includes(part))
    )
      cannot(`Index key contains an illegal field name: field name starts with '$'. key: ${show(key)}`);
    if (['2d', '2dsphere', '2dsphere_bucket', 'geoHaystack', 'columnstore'].includes(String(direction)))
      unsupported(`an index of type ${direction}`);
    if (path.endsWith('$**') && direction !== 'text') unsupported('a wildcard index');
    // A hashed index finds equal values, which one in order does as well.
    if (direction === 'hashed') continue;
    if (typeof direction === 'string' && direction !== 'text') cannot(`Unknown index plugin '${direction}'`);
    if (direction === 'text') continue;
    if (!isNumber(direction))
      cannot(
        `Values in v:2 index key pattern cannot be of type ${typeName(direction)}. Only numbers > 0, numbers < 0, and strings are allowed.`,
      );
    if (toNumber(direction) === 0 || Number.isNaN(toNumber(direction)))
      cannot('Values in the index key pattern cannot be 0.');
  }
}

export const defaultName = (key: Doc): string =>
  Object.entries(key)
    .map(([path, direction]) => `${path}_${isNumber(direction) ? toNumber(direction) : direction}`)
    .join('_');

function checkPartial(spec: Doc): void {
  const partial = spec.partialFilterExpression;
  if (partial === undefined) return;
  if (!isDoc(partial)) fault(14, 'The field partialFilterExpression must be an object');
  if (spec.sparse === true) cannot('cannot mix "partialFilterExpression" and "sparse" options');
  const text = JSON.stringify(partial);
  for (const operator of ['$ne', '$nin', '$not', '$nor', '$regex', '$where', '$expr', '$text'])
    if (text.includes(`"${operator}"`)) cannot(`Expression not supported in partial index: ${operator}`);
  compileFilter(partial);
}

/** A wanted index as it will be kept, with defaults filled in. */
export function normalise(c: Collection | undefined, wanted: unknown): Doc {
  if (!isDoc(wanted)) fault(14, "'createIndexes.indexes' must hold objects");
  for (const option of Object.keys(wanted)) {
    if (KNOWN_TO_MONGODB.has(option)) unsupported(`the index option ${option}`);
    if (!KNOWN.has(option))
      fault(
        197,
        `The field '${option}' is not valid for an index specification. Specification: ${show(wanted)}`,
      );
  }
  const { key, background: _, ns: __, ...rest } = wanted;
  checkKey(key);
  const spec: Doc = { v: 2, key, name: wanted.name ?? defaultName(key) };
  if (typeof spec.name !== 'string' || spec.name === '')
    cannot('The index name must be a string that is not empty');
  if (spec.name === '*') fault(2, "The index name '*' is not valid.");
  for (const [option, value] of Object.entries(rest)) {
    if (['unique', 'sparse', 'hidden'].includes(option)) {
      if (typeof value !== 'boolean' && !isNumber(value))
        fault(
          14,
          `The field '${option}' has value ${option}: ${show(value)}, which is not convertible to bool`,
        );
      if (isNumber(value) ? toNumber(value) !== 0 : value) spec[option] = true;
    } else if (option !== 'v' && option !== 'name') spec[option] = value;
  }
  if (spec.collation === undefined && c?.options.collation) spec.collation = c.options.collation;
  if (isDoc(spec.collation) && spec.collation.locale === 'simple') delete spec.collation;
  collator(spec.collation);
  if (spec.unique && Object.values(key).includes('hashed'))
    fault(16764, 'Currently hashed indexes cannot guarantee uniqueness. Use a regular index.');
  checkPartial(spec);
  checkLifetime(spec, key);
  return Object.values(key).includes('text') ? asText(spec, key) : spec;
}

function checkLifetime(spec: Doc, key: Doc): void {
  const seconds = spec.expireAfterSeconds;
  if (seconds === undefined) return;
  if (!isNumber(seconds) || toNumber(seconds) < 0 || toNumber(seconds) > 2_147_483_647)
    cannot(
      `TTL index 'expireAfterSeconds' option must be within an acceptable range, but got ${show(seconds)}`,
    );
  if (Object.keys(key).length > 1)
    cannot(
      `TTL indexes are single-field indexes, compound indexes do not support TTL. Index spec: ${show(spec)}`,
    );
  if (key._id !== undefined)
    fault(197, "The field 'expireAfterSeconds' is not valid for an _id index specification.");
}

/** The texts as one field among the others, which only order the key: their conditions are asked of what is found. */
function textKey(key: Doc): Doc {
  const shown: Doc = {};
  for (const [path, direction] of Object.entries(key)) {
    if (direction === 'text') Object.assign(shown, { _fts: 'text', _ftsx: 1 });
    else shown[path] = direction;
  }
  return shown;
}

function asText(spec: Doc, key: Doc): Doc {
  if (spec.unique) cannot('A text index cannot be unique');
  const weights: Doc = {};
  for (const path of Object.keys(key)) if (key[path] === 'text') weights[path] = 1;
  for (const [path, weight] of Object.entries((spec.weights ?? {}) as Doc)) {
    if (!isNumber(weight) || toNumber(weight) < 1 || toNumber(weight) > 99999)
      cannot('text index weight must be in the exclusive interval (0,100000)');
    weights[path] = weight;
  }
  const language = spec.default_language ?? 'english';
  if (!['english', 'en', 'none'].includes(String(language))) unsupported(`text search in ${language}`);
  return {
    ...spec,
    key: textKey(key),
    weights,
    default_language: language,
    language_override: spec.language_override ?? 'language',
    textIndexVersion: 3,
  };
}

const OPTIONS = [
  'unique',
  'sparse',
  'expireAfterSeconds',
  'partialFilterExpression',
  'collation',
  'weights',
  'hidden',
];

const alike = (a: Doc, b: Doc, options: readonly string[]): boolean =>
  options.every((option) => equal(a[option] ?? null, b[option] ?? null));

/** Whether it is there already; throws when another is in its place. */
export function isThere(c: Collection, spec: Doc): boolean {
  if (equal(spec.key, { _id: 1 })) {
    if (spec.unique === false || spec.sparse || spec.partialFilterExpression)
      fault(
        197,
        `The field 'sparse' or 'partialFilterExpression' is not valid for an _id index specification.`,
      );
    return true;
  }
  for (const { spec: known, kind } of c.indexes) {
    const sameName = known.name === spec.name;
    const sameKey =
      JSON.stringify(Object.entries(known.key as Doc).map(direct)) ===
        JSON.stringify(Object.entries(spec.key as Doc).map(direct)) &&
      alike(known, spec, ['collation', 'partialFilterExpression', 'unique', 'sparse']);
    if (sameName && sameKey && alike(known, spec, OPTIONS)) return true;
    const both = `Requested index: ${show(spec)}, existing index: ${show(known)}`;
    if (sameName && sameKey)
      fault(85, `An equivalent index already exists with the same name but different options. ${both}`);
    if (sameName)
      fault(
        86,
        `An existing index has the same name as the requested index. When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. ${both}`,
      );
    if (sameKey && alike(known, spec, OPTIONS))
      fault(85, `Index already exists with a different name: ${known.name}`);
    if (sameKey) fault(85, `An equivalent index already exists with a different name and options. ${both}`);
    if (kind === 'text' && spec.weights)
      fault(85, 'only one text index per collection allowed, found existing text index');
  }
  if (c.indexes.length >= 64) cannot(`add index fails, too many indexes for ${c.database}.${c.name}`);
  return false;
}

const direct = ([path, direction]: [string, unknown]): [string, unknown] => [
  path,
  isNumber(direction) ? toNumber(direction) : direction,
];
