// From a message to a command and its answer. What must stay true: whatever a command throws becomes an answer with
// MongoDB's number and a sentence; a name that is not in the table is refused.
import { BULK_COMMANDS } from './bulk-writing.ts';
import { CATALOGUE_COMMANDS } from './catalogue-commands.ts';
import { encode } from './documents.ts';
import { fault, MongoFault } from './errors.ts';
import { READ_COMMANDS } from './read-commands.ts';
import {
  asFault,
  type Command,
  type Connection,
  checkFields,
  checkStandalone,
  type Engine,
} from './requests.ts';
import { SESSION_COMMANDS } from './session-commands.ts';
import type { Message } from './wire.ts';
import { words } from './words.ts';
import { WRITE_COMMANDS } from './write-commands.ts';

const COMMANDS = new Map<string, Command>(
  Object.entries({
    ...SESSION_COMMANDS,
    ...READ_COMMANDS,
    ...WRITE_COMMANDS,
    ...BULK_COMMANDS,
    ...CATALOGUE_COMMANDS,
  }),
);

const LACKING = new Set(
  words(`renameCollection mapReduce mapreduce group geoNear geoSearch cloneCollectionAsCapped convertToCapped shardCollection
  enableSharding createUser usersInfo updateUser dropUser createRole currentOp killOp validate compact
  reIndex top profile setParameter fsync filemd5 dataSize configureFailPoint shutdown
  setFeatureCompatibilityVersion createSearchIndexes listSearchIndexes updateSearchIndex
  dropSearchIndex setClusterParameter getClusterParameter setDefaultRWConcern getDefaultRWConcern
  replSetGetConfig connPoolStats features lockInfo planCacheClear planCacheListFilters rolesInfo
  listCommands`),
);

const NO_DATABASE = new Set(['hello', 'isMaster', 'ismaster', 'ping', 'buildInfo', 'buildinfo']);

export async function runCommand(engine: Engine, connection: Connection, message: Message): Promise<Buffer> {
  const { body, documents } = message;
  const name = Object.keys(body)[0] ?? '';
  try {
    const command = COMMANDS.get(name);
    if (!command) throw unknown(name);
    const database = body.$db ?? (NO_DATABASE.has(name) ? 'admin' : undefined);
    if (typeof database !== 'string' || database === '')
      fault(40571, 'OP_MSG requests require a $db argument');
    checkStandalone(body);
    engine.asked.set(name, (engine.asked.get(name) ?? 0) + 1);
    if (command.fields) checkFields(name, body, command.fields);
    const reply = await command.run({ engine, connection, name, database, body, documents });
    return Buffer.isBuffer(reply) ? reply : encode(reply);
  } catch (error) {
    if (!(error instanceof MongoFault))
      engine.log(`${name} failed: ${error instanceof Error ? error.stack : String(error)}`);
    return refusal(asFault(error));
  }
}

/** What a fault tells beside its sentence may be what cannot be written. */
function refusal({ code, codeName, message: errmsg, extra }: MongoFault): Buffer {
  try {
    return encode({ ok: 0, errmsg, code, codeName, ...extra });
  } catch {
    return encode({ ok: 0, errmsg, code, codeName });
  }
}

function unknown(name: string): MongoFault {
  return LACKING.has(name)
    ? new MongoFault(115, `${name} is not supported by the embedded engine`)
    : new MongoFault(59, `no such command: '${name}'`);
}
