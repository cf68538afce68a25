// What a command gets and how its fields are read. What must stay true: a field that a command does not know, or of the
// wrong type, is refused as MongoDB refuses it; none is silently ignored.

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

export function checkFields(name: string, body: Doc, fields: readonly string[] | ReadonlySet<string>): void {
  const known = Array.isArray(fields) ? undefined : (fields as ReadonlySet<string>);
  for (const field of Object.keys(body))
    if (
      field !== name &&
      !COMMON.has(field) &&
      !(known ? known.has(field) : (fields as string[]).includes(field))
    )
      fault(40415, `BSON field '${name}.${field}' is an unknown field.`);
}

/** What a standalone server answers to those who take it for a replica set. */
export function checkStandalone(body: Doc): void {
  if (body.txnNumber !== undefined || body.startTransaction !== undefined || body.autocommit !== undefined)
    fault(20, 'Transaction numbers are only allowed on a replica set member or mongos');
  const read = isDoc(body.readConcern) ? body.readConcern : {};
  if (read.level === 'snapshot' || read.level === 'linearizable')
    fault(123, 'node needs to be a replica set member to use read concern');
  if (read.afterClusterTime !== undefined)
    fault(123, 'node needs to be a replica set member to use afterClusterTime');
  const write = isDoc(body.writeConcern) ? body.writeConcern : {};
  if (isNumber(write.w) && toNumber(write.w) > 1) bad("cannot use 'w' > 1 when a host is not replicated");
  if (typeof write.w === 'string' && write.w !== 'majority')
    bad("cannot use non-majority 'w' mode when a host is not a member of a replica set");
}

function mismatch(name: string, field: string, value: unknown, expected: string): never {
  fault(
    14,
    `BSON field '${name}.${field}' is the wrong type '${typeName(value)}', expected type '${expected}'`,
  );
}

export function docOf(body: Doc, name: string, field: string): Doc | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  return isDoc(value) ? value : mismatch(name, field, value, 'object');
}

export function listOf(body: Doc, name: string, field: string): unknown[] | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  return Array.isArray(value) ? value : mismatch(name, field, value, 'array');
}

export function numberOf(body: Doc, name: string, field: string): number | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  return isNumber(value) ? Math.trunc(toNumber(value)) : mismatch(name, field, value, 'number');
}

export function wholeOf(body: Doc, name: string, field: string): number | undefined {
  const value = numberOf(body, name, field);
  if (value !== undefined && value < 0)
    fault(51024, `BSON field '${field}' value must be >= 0, actual value '${value}'`);
  return value;
}

export function flagOf(body: Doc, name: string, field: string): boolean | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean') return value;
  return isNumber(value) ? toNumber(value) !== 0 : mismatch(name, field, value, 'bool');
}

export function refuseOptions(body: Doc, name: string, options: readonly string[]): void {
  for (const option of options) {
    const value = body[option];
    if (
      value !== undefined &&
      value !== null &&
      value !== false &&
      !(isDoc(value) && Object.keys(value).length === 0)
    )
      unsupported(`the option ${option} of ${name}`);
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
  const isMalformed = error instanceof RangeError || error instanceof MalformedBson;
  return new MongoFault(isMalformed ? 22 : 8, text);
}
