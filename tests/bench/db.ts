// npm run bench:db [-- --against URI|PROGRAM]: the engine's figures, fsync on. With --against the same loads run in turns on
// another server (a program is started as `node PROGRAM DIR PORT` and prints a line when it serves), and each line tells the
// ratio. Without it each figure stands beside the floor that the engine must keep. --only insert: loads called so.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Collection, type Document, MongoClient } from 'mongodb';

const { values } = parseArgs({
  options: {
    against: { type: 'string' },
    documents: { type: 'string', default: '200000' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
  },
});
const DOCUMENTS = Number(values.documents);
const PROGRAM = fileURLToPath(new URL('../../dist/src/embedded/process.js', import.meta.url));

type Other = { uri: string; stop(): void };

/** The other server: one that runs, or a program to run beside ours. */
async function startOther(against: string, data: string): Promise<Other> {
  if (against.startsWith('mongodb')) return { uri: against, stop: () => undefined };
  const port = 30_000 + (process.pid % 20_000);
  const child = spawn(process.execPath, [against, data, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      STANDALONE: '1',
      NODE_PATH: fileURLToPath(new URL('../../node_modules', import.meta.url)),
    },
  });
  await once(createInterface({ input: child.stdout }), 'line');
  return {
    uri: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    stop: () => void child.kill('SIGKILL'),
  };
}

type Load = { name: string; floor: number; concurrency: number; run(at: number): Promise<unknown> };

async function start(data: string): Promise<{ uri: string; pid: number; ms: number; stop(): Promise<void> }> {
  const begun = performance.now();
  const child = spawn(process.execPath, [PROGRAM, '--data', data, '--port', '0', '--keep'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const ms = performance.now() - begun;
  const { port } = JSON.parse(line) as { port: number };
  return {
    uri: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    pid: child.pid ?? 0,
    ms,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function fill(collection: Collection<Document>, count: number): Promise<void> {
  if ((await collection.estimatedDocumentCount()) === count) return;
  await collection.drop();
  await collection.createIndex({ group: 1, at: -1 });
  for (let from = 0; from < count; from += 2000)
    await collection.insertMany(
      Array.from({ length: Math.min(2000, count - from) }, (_, i) => ({
        _id: (from + i) as never,
        group: (from + i) % 50,
        at: new Date(1e12 + (from + i) * 1000),
        title: `document ${from + i}`,
        body: 'x'.repeat(200),
      })),
    );
}

const scattered = (at: number): number => (at * 7919) % DOCUMENTS;

function loadsOn(client: MongoClient): Load[] {
  const db = client.db('bench');
  const large = db.collection<Document>('large');
  const small = db.collection<Document>('small');
  const fresh = db.collection('fresh');
  const page = (of: Collection<Document>, at: number) =>
    of
      .find({ group: at % 50 })
      .sort({ at: -1 })
      .limit(25)
      .toArray();
  return [
    {
      name: 'insertOne, 50 at once',
      floor: 4269,
      concurrency: 50,
      run: (n) => fresh.insertOne({ n, text: 'hello' }),
    },
    {
      name: 'findOne by index',
      floor: 4794,
      concurrency: 50,
      run: (n) => large.findOne({ _id: scattered(n) as never }),
    },
    {
      name: 'findOneAndUpdate, 50 at once',
      floor: 2809,
      concurrency: 50,
      run: (n) => large.findOneAndUpdate({ _id: scattered(n) as never }, { $inc: { n: 1 } }),
    },
    { name: 'page of 25 of the large', floor: 1621, concurrency: 50, run: (n) => page(large, n) },
    { name: 'page of 25, one at a time', floor: 0, concurrency: 1, run: (n) => page(large, n) },
    { name: 'page of 25 of 2,000', floor: 0, concurrency: 1, run: (n) => page(small, n) },
  ];
}

async function rate({ concurrency, run }: Load, ms: number): Promise<number> {
  let done = 0;
  const begun = performance.now();
  const worker = async (at: number): Promise<void> => {
    for (let i = at; performance.now() - begun < ms; i += concurrency) {
      await run(i);
      done++;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, (_, at) => worker(at)));
  return (done / (performance.now() - begun)) * 1000;
}

const median = (numbers: number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const say = (name: string, ...facts: string[]): void => console.log(name.padEnd(34), ...facts);

async function pings(client: MongoClient): Promise<void> {
  const db = client.db('bench');
  const group = [{ $group: { _id: { $mod: ['$group', 7] }, n: { $sum: 1 }, last: { $max: '$at' } } }];
  for (const round of ['first', 'second']) {
    const waits: number[] = [];
    let over = false;
    const begun = performance.now();
    const grouping = db
      .collection('large')
      .aggregate(group)
      .toArray()
      .finally(() => {
        over = true;
      });
    while (!over) {
      const asked = performance.now();
      await db.command({ ping: 1 });
      waits.push(performance.now() - asked);
      await new Promise((done) => setTimeout(done, 2));
    }
    await grouping;
    const longest = Math.max(...waits).toFixed(1);
    say(
      `ping during the ${round} group`,
      `longest ${longest} ms (at most 20), group ${Math.round(performance.now() - begun)} ms`,
    );
  }
}

const memory = (pid: number): string =>
  /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-db-'));
  try {
    let engine = await start(join(folder, 'data'));
    const ours = await MongoClient.connect(engine.uri, { maxPoolSize: 60 });
    const other = values.against ? await startOther(values.against, join(folder, 'other')) : undefined;
    const theirs = other ? await MongoClient.connect(other.uri, { maxPoolSize: 60 }) : undefined;
    for (const client of theirs ? [ours, theirs] : [ours]) {
      await fill(client.db('bench').collection('large'), DOCUMENTS);
      await fill(client.db('bench').collection('small'), 2000);
    }
    const rival = theirs ? loadsOn(theirs) : [];
    for (const [i, load] of loadsOn(ours).entries())
      if (load.name.includes(values.only ?? '')) await compare(load, rival[i]);
    if (values.only) {
      for (const client of [ours, theirs]) await client?.close();
      other?.stop();
      return await engine.stop();
    }
    await pings(ours);
    await ours.close();
    await theirs?.close();
    other?.stop();
    await engine.stop();
    const [opened, empties] = await openings(join(folder, 'data'), join(folder, 'empty'));
    say(
      'opening',
      `${Math.round(opened)} ms of ${DOCUMENTS}, ${Math.round(empties)} ms empty (at most twice)`,
    );
    engine = await start(join(folder, 'data'));
    await new Promise((done) => setTimeout(done, 2_000));
    say('memory at rest', `${Math.round(Number(memory(engine.pid)) / 1024)} MB (under 100)`);
    await engine.stop();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Both in turns, from the start of the process to its word that it serves. */
async function openings(...folders: [string, string]): Promise<[number, number]> {
  const times = folders.map((): number[] => []);
  for (let round = 0; round < 5; round++)
    for (const [i, data] of folders.entries()) {
      const { ms, stop } = await start(data);
      times[i]?.push(ms);
      await stop();
    }
  return [median(times[0] ?? []), median(times[1] ?? [])];
}

async function compare(load: Load, other: Load | undefined): Promise<void> {
  const ms = Number(values.seconds) * 1000;
  const rates: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  for (let round = 0; round < Number(values.rounds); round++) {
    rates.ours.push(await rate(load, ms));
    if (other) rates.theirs.push(await rate(other, ms));
  }
  const [mine, its] = [median(rates.ours), median(rates.theirs)];
  const beside = other
    ? `against ${Math.round(its)}/s: ${(mine / its).toFixed(2)}`
    : load.floor
      ? `floor ${load.floor}/s`
      : '';
  say(load.name, `${Math.round(mine)}/s`, beside);
}

await main();
