// $jsonSchema as MongoDB reads it (draft 4 with bsonType): a keyword this room does not know is refused, not skipped.
import { type Doc, isDoc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { toRegExp } from './regexes.ts';
import { compare, equal, field, isNumber, toNumber, typeName } from './values.ts';

type Test = (value: unknown) => boolean;
type Keyword = (spec: unknown, schema: Doc, keyword: string) => Test;

const NUMBERS = ['int', 'long', 'double', 'decimal'];
const JSON_TYPES: Record<string, string[]> = {
  object: ['object'],
  array: ['array'],
  string: ['string'],
  number: NUMBERS,
  boolean: ['bool'],
  null: ['null'],
};

const isText = (value: unknown): value is string => typeof value === 'string';
const isList = (value: unknown): value is unknown[] => Array.isArray(value);

/** A test of one kind of value, which lets all others pass. */
const about =
  <T>(isOne: (value: unknown) => value is T, test: (value: T) => boolean): Test =>
  (value) =>
    !isOne(value) || test(value);

/** The argument of a keyword, of the kind that it has to be. */
function wanted<T>(isOne: (value: unknown) => value is T, spec: unknown, keyword: string, kind: string): T {
  return isOne(spec) ? spec : fault(14, `$jsonSchema keyword '${keyword}' must be ${kind}`);
}
const listOf = (spec: unknown, keyword: string): unknown[] => wanted(isList, spec, keyword, 'an array');
const namesOf = (spec: unknown, keyword: string): string[] =>
  listOf(spec, keyword).map((name) => wanted(isText, name, keyword, 'an array of strings'));
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';

/** Schemas by the names of fields. */
const named = (spec: unknown, keyword: string): [string, Test][] =>
  Object.entries(wanted(isDoc, spec, keyword, 'an object')).map(([name, one]) => [name, compileSchema(one)]);

const sized =
  <T>(
    isOne: (value: unknown) => value is T,
    size: (value: T) => number,
    holds: (difference: number) => boolean,
  ) =>
  (spec: unknown, _schema: Doc, keyword: string): Test => {
    const bound = toNumber(spec);
    if (!Number.isInteger(bound) || bound < 0)
      fault(14, `$jsonSchema keyword '${keyword}' must be a non-negative integer`);
    return about(isOne, (value) => holds(size(value) - bound));
  };
const atLeast = (difference: number): boolean => difference >= 0;
const atMost = (difference: number): boolean => difference <= 0;
const characters = (text: string): number => [...text].length;
const elements = (list: unknown[]): number => list.length;
const fields = (doc: Doc): number => Object.keys(doc).length;

const typed =
  (meaning: (name: string) => string[]): Keyword =>
  (spec, _schema, keyword) => {
    const types = new Set(namesOf(isList(spec) ? spec : [spec], keyword).flatMap(meaning));
    return (value) => types.has(typeName(value));
  };

const several =
  (holds: (tests: Test[], value: unknown) => boolean): Keyword =>
  (spec, _schema, keyword) => {
    const tests = listOf(spec, keyword).map(compileSchema);
    if (tests.length === 0) fault(14, `$jsonSchema keyword '${keyword}' must be a non-empty array`);
    return (value) => holds(tests, value);
  };

/** A schema for what is left over, or whether anything may be. */
const leftOver = (spec: unknown): Test => (typeof spec === 'boolean' ? () => spec : compileSchema(spec));

const additionalProperties: Keyword = (spec, { properties = {}, patternProperties = {} }) => {
  const known = new Set(Object.keys(properties as Doc));
  const patterns = Object.keys(patternProperties as Doc).map((source) => toRegExp(source));
  const test = leftOver(spec);
  const isKnown = (name: string): boolean =>
    known.has(name) || patterns.some((pattern) => pattern.test(name));
  return about(isDoc, (doc) => Object.keys(doc).every((name) => isKnown(name) || test(doc[name])));
};

const anything: Test = () => true;
const exclusive: Keyword = (spec, _schema, keyword) => {
  wanted(isFlag, spec, keyword, 'a boolean');
  return anything;
};
const has = (doc: Doc, name: string): boolean => field(doc, name) !== undefined;

const KEYWORDS: Record<string, Keyword> = {
  title: () => anything,
  description: () => anything,
  encrypt: () => anything,
  encryptMetadata: () => anything,
  bsonType: typed((name) => (name === 'number' ? NUMBERS : [name])),
  type: typed((name) => JSON_TYPES[name] ?? bad(`Unknown type name alias: ${name}`)),
  enum: (spec, _, keyword) => {
    const values = listOf(spec, keyword);
    return (value) => values.some((one) => equal(one, value));
  },
  minimum: (spec, { exclusiveMinimum }) =>
    about(isNumber, (value) => compare(value, spec) >= (exclusiveMinimum === true ? 1 : 0)),
  maximum: (spec, { exclusiveMaximum }) =>
    about(isNumber, (value) => compare(value, spec) <= (exclusiveMaximum === true ? -1 : 0)),
  exclusiveMinimum: exclusive,
  exclusiveMaximum: exclusive,
  multipleOf: (spec) => about(isNumber, (value) => toNumber(value) % toNumber(spec) === 0),
  minLength: sized(isText, characters, atLeast),
  maxLength: sized(isText, characters, atMost),
  pattern: (spec, _, keyword) => {
    const expression = toRegExp(wanted(isText, spec, keyword, 'a string'));
    return about(isText, (text) => expression.test(text));
  },
  allOf: several((tests, value) => tests.every((test) => test(value))),
  anyOf: several((tests, value) => tests.some((test) => test(value))),
  oneOf: several((tests, value) => tests.filter((test) => test(value)).length === 1),
  not: (spec) => {
    const test = compileSchema(spec);
    return (value) => !test(value);
  },
  required: (spec, _, keyword) => {
    const names = namesOf(spec, keyword);
    return about(isDoc, (doc) => names.every((name) => has(doc, name)));
  },
  properties: (spec, _, keyword) => {
    const tests = named(spec, keyword);
    return about(isDoc, (doc) => tests.every(([name, test]) => !has(doc, name) || test(doc[name])));
  },
  patternProperties: (spec, _, keyword) => {
    const tests = named(spec, keyword).map(([source, test]) => [toRegExp(source), test] as const);
    const fits = (name: string, value: unknown): boolean =>
      tests.every(([pattern, test]) => !pattern.test(name) || test(value));
    return about(isDoc, (doc) => Object.keys(doc).every((name) => fits(name, doc[name])));
  },
  additionalProperties,
  dependencies: (spec, _, keyword) => {
    const tests = Object.entries(wanted(isDoc, spec, keyword, 'an object')).map(
      ([name, one]) => [name, compileSchema(isList(one) ? { required: one } : one)] as const,
    );
    return about(isDoc, (doc) => tests.every(([name, test]) => !has(doc, name) || test(doc)));
  },
  minProperties: sized(isDoc, fields, atLeast),
  maxProperties: sized(isDoc, fields, atMost),
  items: (spec) => {
    const tests = isList(spec) ? spec.map(compileSchema) : compileSchema(spec);
    return about(isList, (list) =>
      list.every((one, i) => (isList(tests) ? (tests[i] ?? anything) : tests)(one)),
    );
  },
  additionalItems: (spec, { items }) => {
    const test = leftOver(spec);
    return about(isList, (list) => list.slice(isList(items) ? items.length : list.length).every(test));
  },
  minItems: sized(isList, elements, atLeast),
  maxItems: sized(isList, elements, atMost),
  uniqueItems: (spec) =>
    about(
      isList,
      (list) => spec !== true || list.every((one, i) => !list.slice(0, i).some((other) => equal(other, one))),
    ),
};

export function compileSchema(schema: unknown): Test {
  if (!isDoc(schema)) fault(14, '$jsonSchema must be an object');
  const tests = Object.keys(schema).map((keyword) => {
    if (!Object.hasOwn(KEYWORDS, keyword)) fault(9, `Unknown $jsonSchema keyword: ${keyword}`);
    return (KEYWORDS[keyword] as Keyword)(schema[keyword], schema, keyword);
  });
  return (value) => tests.every((test) => test(value));
}
