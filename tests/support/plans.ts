// Which way the store goes for what Switchboard asks of it: every command as it was sent, asked again by explain.
import mongoose from 'mongoose';

type Doc = Record<string, unknown>;

export interface Asked {
  /** `find tickets` */
  what: string;
  command: Doc;
}

const READS = ['find', 'aggregate', 'count', 'distinct', 'findAndModify', 'update', 'delete'] as const;
const ENVELOPE = /^(lsid|\$|txnNumber|autocommit|startTransaction|writeConcern|ordered|readConcern)/;

export interface Ear {
  heard: () => Asked[];
  /** What the test itself does to the store is none of its business. */
  close: () => void;
  open: () => void;
}

/** Hears every kind of command of the connection, which must have been opened with `monitorCommands=true`. */
export function listenToStore(): Ear {
  const client = mongoose.connection.getClient();
  const known = new Map<string, Asked>();
  const hear = ({ commandName, command: sent }: { commandName: string; command: Doc }) => {
    const name = READS.find((one) => one === commandName);
    if (!name) return;
    const command = Object.fromEntries(
      Object.entries(sent).flatMap(([field, value]) =>
        ENVELOPE.test(field) ? [] : [[field, value instanceof Map ? Object.fromEntries(value) : value]],
      ),
    );
    // Of a write of many, explain looks at the first: each is asked about by itself.
    const list = name === 'update' ? 'updates' : name === 'delete' ? 'deletes' : '';
    const each = list ? (command[list] as Doc[]).map((one) => ({ ...command, [list]: [one] })) : [command];
    for (const one of each) {
      const key = JSON.stringify(shapeOf(one));
      if (!known.has(key)) known.set(key, { what: `${name} ${sent[name]}`, command: one });
    }
  };
  client.on('commandStarted', hear as never);
  return {
    heard: () => [...known.values()],
    close: () => void client.off('commandStarted', hear as never),
    open: () => void client.on('commandStarted', hear as never),
  };
}

/** Two commands that differ in nothing but the values are one; of lists it counts whether they are long. */
function shapeOf(value: unknown, field = ''): unknown {
  if (field === 'u' || field === 'update') return null;
  if (Array.isArray(value)) {
    const shapes = value.slice(0, 20).map((one) => JSON.stringify(shapeOf(one)));
    return [...new Set(shapes), value.length > 20];
  }
  if (typeof value !== 'object' || value === null) return VERBATIM.has(field) ? value : typeof value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return value.constructor.name;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner, key)]));
}
const VERBATIM = new Set<string>(READS);

/** A sort of so many in memory is none to speak of. */
const FEW = 1_000;

/** What is wrong with the way the store goes for this; none when an index serves it. */
export async function complaintsAbout({ what, command }: Asked): Promise<string[]> {
  const explained = await explain(command);
  const stages = all(explained, 'stage').map(String);
  const told = `${what} ${JSON.stringify(question(command)).slice(0, 700)}`;
  if (stages.includes('COLLSCAN')) return [`${told}: looks at everything`];
  const patterns = all(explained, 'keyPattern') as Doc[];
  const sorted = (command.sort ?? firstOf(command, '$sort')) as Doc | undefined;
  const isCut = command.limit !== undefined || firstOf(command, '$limit') !== undefined;
  const filter = JSON.stringify(question(command));
  const aimless = patterns.find((pattern) => !filter.includes(`"${Object.keys(pattern)[0]}"`));
  if (aimless && !(sorted && isCut)) return [`${told}: walks through all of ${JSON.stringify(aimless)}`];
  if (!stages.includes('SORT')) return [];
  const { limit: _, skip: __, sort: ___, ...rest } = command;
  const unsorted = await explain(rest, 'executionStats');
  const [met] = all(unsorted, 'nReturned');
  return Number(met) > FEW ? [`${told}: sorts ${met} in memory by ${JSON.stringify(sorted)}`] : [];
}

/** The fields of the index that serves it. */
export async function indexFor({ command }: Asked): Promise<string[] | undefined> {
  const [pattern] = all(await explain(command), 'keyPattern') as Doc[];
  return pattern && Object.keys(pattern);
}

const explain = async (command: Doc, verbosity = 'queryPlanner'): Promise<unknown> =>
  mongoose.connection.db?.command({ explain: command, verbosity });

function question(command: Doc): unknown {
  const first = (list: unknown) => (list as Doc[])[0]?.q;
  if (command.updates) return first(command.updates);
  if (command.deletes) return first(command.deletes);
  return command.filter ?? command.query ?? firstOf(command, '$match') ?? {};
}

const firstOf = (command: Doc, stage: string): unknown =>
  ((command.pipeline ?? []) as Doc[]).find((one) => stage in one)?.[stage];

function all(value: unknown, name: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    ...(key === name ? [inner] : []),
    ...(key === 'rejectedPlans' || key === 'parsedQuery' ? [] : all(inner, name)),
  ]);
}

/** Fills every collection but these up with copies of what is there, so that a plan has something to choose. */
export async function multiply(
  except: readonly string[],
  most: (collection: string) => number,
): Promise<void> {
  const db = mongoose.connection.db;
  if (!db) throw new Error('not connected');
  for (const { name } of await db.listCollections().toArray()) {
    if (except.includes(name)) continue;
    const rows = (await db.collection(name).find().limit(40).toArray()) as unknown as Doc[];
    const unique = (await db.collection(name).indexes())
      .filter((one) => one.unique)
      .map((one) => Object.keys(one.key).at(-1) ?? '');
    const copies = rows.flatMap((row, nth) =>
      Array.from({ length: Math.ceil(most(name) / rows.length) }, (_, at) => {
        const mark = `${nth}x${at}`;
        const copy: Doc = { ...row, _id: `${String(row._id).slice(0, 12)}${mark}` };
        for (const field of unique) copy[field] = otherwise(copy[field], mark, at + 1);
        return copy;
      }),
    );
    if (copies.length) await db.collection(name).insertMany(copies as never, { ordered: false });
  }
}

function otherwise(value: unknown, mark: string, nth: number): unknown {
  if (typeof value === 'number') return value + nth * 100_000;
  if (Array.isArray(value)) return value.map((one) => otherwise(one, mark, nth));
  return typeof value === 'string' ? `${value}-${mark}` : value;
}
