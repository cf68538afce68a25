// $jsonSchema as MongoDB reads it (draft 4 with bsonType): a keyword this room does not know is refused, not skipped.

import type { Doc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { toRegExp } from './regexes.ts';
import { show } from './showing.ts';
import { compare, equal, field, isNumber, isObject, toNumber, typeName } from './values.ts';

type Test = (value: unknown) => boolean;

const NUMBERS = ['int', 'long', 'double', 'decimal'];
const JSON_TYPES: Record<string, string[]> = {
  object: ['object'],
  array: ['array'],
  string: ['string'],
  number: NUMBERS,
  boolean: ['bool'],
  null: ['null'],
};
const ANNOTATIONS = new Set(['title', 'description', 'encrypt', 'encryptMetadata']);

export function compileSchema(schema: unknown): Test {
  if (!isObject(schema)) fault(14, '$jsonSchema must be an object');
  const tests: Test[] = [];
  for (const keyword of Object.keys(schema)) {
    if (!ANNOTATIONS.has(keyword)) tests.push(keywordTest(keyword, schema[keyword], schema));
  }
  return (value) => tests.every((test) => test(value));
}

function mistyped(keyword: string, kind: string): never {
  fault(14, `$jsonSchema keyword '${keyword}' must be ${kind}`);
}

const whole = (keyword: string, spec: unknown): number => {
  const number = toNumber(spec);
  return Number.isInteger(number) && number >= 0 ? number : mistyped(keyword, 'a non-negative integer');
};
const schemas = (keyword: string, spec: unknown): Test[] =>
  Array.isArray(spec) && spec.length > 0 ? spec.map(compileSchema) : mistyped(keyword, 'a non-empty array');
const names = (keyword: string, spec: unknown): string[] =>
  Array.isArray(spec) && spec.every((name) => typeof name === 'string')
    ? spec
    : mistyped(keyword, 'an array of strings');

const ofNumber =
  (test: (value: unknown) => boolean): Test =>
  (value) =>
    !isNumber(value) || test(value);
const ofString =
  (test: (text: string) => boolean): Test =>
  (value) =>
    typeof value !== 'string' || test(value);
const ofArray =
  (test: (array: unknown[]) => boolean): Test =>
  (value) =>
    !Array.isArray(value) || test(value);
const ofObject =
  (test: (doc: Doc) => boolean): Test =>
  (value) =>
    !isObject(value) || test(value);

/** Sizes of what a keyword is about; undefined for any other value, which it lets pass. */
const characters = (value: unknown) => (typeof value === 'string' ? [...value].length : undefined);
const elements = (value: unknown) => (Array.isArray(value) ? value.length : undefined);
const fieldsIn = (value: unknown) => (isObject(value) ? Object.keys(value).length : undefined);

function bounded(keyword: string, spec: unknown, sizeOf: (value: unknown) => number | undefined): Test {
  const bound = whole(keyword, spec);
  return (value) => {
    const size = sizeOf(value);
    return size === undefined || (keyword.startsWith('min') ? size >= bound : size <= bound);
  };
}

function keywordTest(keyword: string, spec: unknown, schema: Doc): Test {
  switch (keyword) {
    case 'bsonType':
      return typeTest(keyword, spec, (name) => (name === 'number' ? NUMBERS : [name]));
    case 'type':
      return typeTest(keyword, spec, (name) => JSON_TYPES[name] ?? bad(`Unknown type name alias: ${name}`));
    case 'enum':
      if (!Array.isArray(spec)) mistyped(keyword, 'an array');
      return (value) => spec.some((one) => equal(one, value));
    case 'minimum': {
      const beyond = schema.exclusiveMinimum === true ? 1 : 0;
      return ofNumber((value) => compare(value, spec) >= beyond);
    }
    case 'maximum': {
      const beyond = schema.exclusiveMaximum === true ? -1 : 0;
      return ofNumber((value) => compare(value, spec) <= beyond);
    }
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      if (typeof spec !== 'boolean') mistyped(keyword, 'a boolean');
      return () => true;
    case 'multipleOf':
      return ofNumber((value) => toNumber(value) % toNumber(spec) === 0);
    case 'minLength':
      return bounded(keyword, spec, characters);
    case 'maxLength':
      return bounded(keyword, spec, characters);
    case 'pattern': {
      const expression = typeof spec === 'string' ? toRegExp(spec) : mistyped(keyword, 'a string');
      return ofString((text) => expression.test(text));
    }
    case 'allOf':
      return every(schemas(keyword, spec));
    case 'anyOf': {
      const tests = schemas(keyword, spec);
      return (value) => tests.some((test) => test(value));
    }
    case 'oneOf': {
      const tests = schemas(keyword, spec);
      return (value) => tests.filter((test) => test(value)).length === 1;
    }
    case 'not': {
      const test = compileSchema(spec);
      return (value) => !test(value);
    }
    default:
      return compoundTest(keyword, spec, schema);
  }
}

const every =
  (tests: Test[]): Test =>
  (value) =>
    tests.every((test) => test(value));

function compoundTest(keyword: string, spec: unknown, schema: Doc): Test {
  switch (keyword) {
    case 'required': {
      const required = names(keyword, spec);
      return ofObject((doc) => required.every((name) => field(doc, name) !== undefined));
    }
    case 'properties': {
      const properties = tested(keyword, spec);
      return ofObject((doc) =>
        properties.every(([name, test]) => field(doc, name) === undefined || test(doc[name])),
      );
    }
    case 'patternProperties': {
      const patterns = tested(keyword, spec).map(([source, test]) => [toRegExp(source), test] as const);
      return ofObject((doc) =>
        Object.keys(doc).every((name) =>
          patterns.every(([pattern, test]) => !pattern.test(name) || test(doc[name])),
        ),
      );
    }
    case 'additionalProperties':
      return additionalProperties(spec, schema);
    case 'dependencies':
      return dependencies(tested(keyword, spec, true));
    case 'minProperties':
      return bounded(keyword, spec, fieldsIn);
    case 'maxProperties':
      return bounded(keyword, spec, fieldsIn);
    case 'items': {
      if (!Array.isArray(spec)) {
        const test = compileSchema(spec);
        return ofArray((array) => array.every(test));
      }
      const tests = spec.map(compileSchema);
      return ofArray((array) => tests.every((test, i) => i >= array.length || test(array[i])));
    }
    case 'additionalItems': {
      const known = Array.isArray(schema.items) ? schema.items.length : Number.POSITIVE_INFINITY;
      const test = typeof spec === 'boolean' ? () => spec : compileSchema(spec);
      return ofArray((array) => array.slice(known).every(test));
    }
    case 'minItems':
      return bounded(keyword, spec, elements);
    case 'maxItems':
      return bounded(keyword, spec, elements);
    case 'uniqueItems':
      return ofArray(
        (array) => spec !== true || array.every((one, i) => !array.slice(0, i).some((o) => equal(o, one))),
      );
    default:
      fault(9, `Unknown $jsonSchema keyword: ${keyword}`);
  }
}

function typeTest(keyword: string, spec: unknown, meaning: (name: string) => string[]): Test {
  const wanted = new Set(names(keyword, Array.isArray(spec) ? spec : [spec]).flatMap(meaning));
  return (value) => wanted.has(typeName(value));
}

/** The named schemas of a keyword; a list of names among them requires those fields. */
function tested(keyword: string, spec: unknown, lists = false): [string, Test][] {
  if (!isObject(spec)) mistyped(keyword, 'an object');
  return Object.keys(spec).map((name) => {
    const one = spec[name];
    return [name, lists && Array.isArray(one) ? compileSchema({ required: one }) : compileSchema(one)];
  });
}

function dependencies(tests: [string, Test][]): Test {
  return ofObject((doc) => tests.every(([name, test]) => field(doc, name) === undefined || test(doc)));
}

function additionalProperties(spec: unknown, schema: Doc): Test {
  if (typeof spec !== 'boolean' && !isObject(spec))
    bad(`$jsonSchema keyword 'additionalProperties' is ${show(spec)}`);
  const known = new Set(isObject(schema.properties) ? Object.keys(schema.properties) : []);
  const patterns = isObject(schema.patternProperties) ? Object.keys(schema.patternProperties) : [];
  const expressions = patterns.map((source) => toRegExp(source));
  const test = typeof spec === 'boolean' ? () => spec : compileSchema(spec);
  return ofObject((doc) =>
    Object.keys(doc).every(
      (name) => known.has(name) || expressions.some((expression) => expression.test(name)) || test(doc[name]),
    ),
  );
}
