// What a command gets and how its fields are read. What must stay true: a field that a command does not know, or of the
// wrong type, is refused as MongoDB refuses it; none is silently ignored.

import { BSONError } from 'bson';
import type { Catalogue } from './catalogue.ts';
import { collator } from './collation.ts';
import type { Cursors } from './cursors.ts';
import { type Doc, isDoc, MalformedBson } from './documents.ts';
import { bad, fault, MongoFault, unsupported } from './errors.ts';
import { constants } from './expressions.ts';
import type { MatchEnv } from './matching.ts';
import type { Scope } from './operators.ts';
import type { Readers } from './readers.ts';
import type { Storage } from './storage.ts';
import { type Collation, isNumber, toNumber, typeName } from './values.ts';
import { words } from './words.ts';
import type { Writer } from './writing.ts';

export type Engine = {
  storage: Storage;
  catalogue: Catalogue;
  writer: Writer;
  cursors: Cursors;
  readers: Readers;
  started: number;
  /** How often each command was run. */
  asked: Map<string, number>;
  connections: Set<unknown>;
  log: (line: string) => void;
};

export type Connection = { id: number; peer: string };

export type Request = {
  engine: Engine;
  name: string;
  database: string;
  body: Doc;
  documents: Map<string, Buffer[]>;
  connection: Connection;
};

export type Reply = Doc | Buffer;
export type Command = {
  run(request: Request): Reply | Promise<Reply>;
  /** Fields that it knows besides those of all commands; nothing when it takes any. */
  fields?: readonly string[];
};

const COMMON = new Set(
  words(`$db $readPreference $clusterTime $audit lsid txnNumber autocommit startTransaction readConcern
  writeConcern comment maxTimeMS apiVersion apiStrict apiDeprecationErrors databaseVersion
  shardVersion clientOperationKey mayBypassWriteBlocking rawData`),
);

export function checkFields(name: string, body: Doc, fields: readonly string[]): void {
  for (const field of Object.keys(body))
    if (field !== name && !COMMON.has(field) && !fields.includes(field))
      fault(40415, `BSON field '${name}.${field}' is an unknown field.`);
}

export const NO_TRANSACTIONS = 'Transaction numbers are only allowed on a replica set member or mongos';

/** What a standalone server answers to those who take it for a replica set. */
export function checkStandalone(body: Doc): void {
  if (body.txnNumber !== undefined || body.startTransaction !== undefined || body.autocommit !== undefined)
    fault(20, NO_TRANSACTIONS);
  const read = isDoc(body.readConcern) ? body.readConcern : {};
  if (read.level === 'snapshot' || read.level === 'linearizable' || read.afterClusterTime !== undefined)
    fault(123, 'node needs to be a replica set member to use this read concern');
  const write = isDoc(body.writeConcern) ? body.writeConcern : {};
  if (isNumber(write.w) && toNumber(write.w) > 1) bad("cannot use 'w' > 1 when a host is not replicated");
  if (typeof write.w === 'string' && write.w !== 'majority')
    bad("cannot use non-majority 'w' mode when a host is not a member of a replica set");
}

/** A field's value, if it has one: of the type that the test knows. */
function fieldOf<T>(
  body: Doc,
  name: string,
  field: string,
  expected: string,
  test: (value: unknown) => value is T,
): T | undefined {
  const { [field]: value } = body;
  if (value === undefined || value === null) return undefined;
  if (test(value)) return value;
  const type = typeName(value);
  fault(14, `BSON field '${name}.${field}' is the wrong type '${type}', expected type '${expected}'`);
}

export const docOf = (body: Doc, name: string, field: string): Doc | undefined =>
  fieldOf(body, name, field, 'object', isDoc);

export const listOf = (body: Doc, name: string, field: string): unknown[] | undefined =>
  fieldOf(body, name, field, 'array', Array.isArray);

export function numberOf(body: Doc, name: string, field: string): number | undefined {
  const value = fieldOf(body, name, field, 'number', isNumber);
  return value === undefined ? undefined : Math.trunc(toNumber(value));
}

export function wholeOf(body: Doc, name: string, field: string): number | undefined {
  const value = numberOf(body, name, field);
  if (value !== undefined && value < 0)
    fault(51024, `BSON field '${field}' value must be >= 0, actual value '${value}'`);
  return value;
}

export function flagOf(body: Doc, name: string, field: string): boolean | undefined {
  const isFlag = (value: unknown): value is unknown => typeof value === 'boolean' || isNumber(value);
  const value = fieldOf(body, name, field, 'bool', isFlag);
  return value === undefined || typeof value === 'boolean' ? value : toNumber(value) !== 0;
}

export function refuseOptions(body: Doc, name: string, options: readonly string[]): void {
  for (const option of options) {
    const { [option]: value } = body;
    const isOff = !value || (isDoc(value) && Object.keys(value).length === 0);
    if (!isOff) unsupported(`the option ${option} of ${name}`);
  }
}

export type Surroundings = MatchEnv & { now: Date; collation: Collation | undefined; scope: Scope };

/** Collation and variables of a command, for everything that it compiles. */
export function surroundings(body: Doc, standing?: unknown): Surroundings {
  const now = new Date();
  const spec = body.collation ?? standing;
  return { now, collation: collator(spec), scope: constants(body.let, now) };
}

export function asFault(error: unknown): MongoFault {
  if (error instanceof MongoFault) return error;
  const text = error instanceof Error ? error.message : String(error);
  const isMalformed = [RangeError, MalformedBson, BSONError].some((kind) => error instanceof kind);
  return new MongoFault(isMalformed ? 22 : 8, text);
}
