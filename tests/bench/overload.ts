// L5: three times as much as it can take. What is accepted is answered as fast as ever and is there; the rest is sent
// away at once with a time to come back; a moment later all is well. `tsx tests/bench/overload.ts` after a build.
import { setTimeout as pause } from 'node:timers/promises';
import mongoose from 'mongoose';
import { newId } from '../../src/id.ts';
import { callFrom, circumstances, cpuMs, enginePid, openStand, say } from './stand.ts';

const { SECONDS = '10', TIMES = '3', CROWD = '600' } = process.env;
const ROW =
  /^http_request_duration_seconds_bucket\{le="([^"]+)",method="POST",route="\/api\/v1\/tickets",status="201"\} (\d+)$/gm;
const stand = await openStand();
try {
  const database = `bench_overload_${newId()}`;
  const desk = await stand.desk(database);
  const url = `${desk.url}/api/v1/tickets`;
  const pids = { desk: desk.pid, engine: enginePid() };

  /** The desk's own times, by the rows of its histogram: from having the headers to having handed over the answer. */
  const inside = async (): Promise<[number, number][]> =>
    [...(await (await fetch(`${desk.url}/metrics`)).text()).matchAll(ROW)].map(([, le, count]) => [
      Number(le),
      Number(count),
    ]);
  const shoot = async (connections: number, rate = 0, seconds = Number(SECONDS)) => {
    const used = Object.entries(pids).map(([name, pid]) => [name, pid, pid ? cpuMs(pid) : 0] as const);
    const before = new Map(await inside());
    const began = performance.now();
    const body = JSON.stringify({ title: 'One of many' });
    const heard = await callFrom({ url, token: desk.token, connections, rate, seconds, body });
    const after = (await inside()).map(([le, count]) => [le, count - (before.get(le) ?? 0)] as const);
    const all = after.at(-1)?.[1] ?? 0;
    const past = performance.now() - began;
    return {
      ...heard,
      inside_99_percent_within_ms:
        1_000 * (after.find(([, count]) => count >= all * 0.99)?.[0] ?? Number.NaN),
      cores: Object.fromEntries(
        used.map(([name, pid, ms]) => [
          name,
          pid ? Math.round((100 * (cpuMs(pid) - ms)) / past) / 100 : null,
        ]),
      ),
    };
  };
  say(`${circumstances()}, callers on the same cores`);
  const warm = await shoot(32, 0, 3);
  const able = await shoot(32, 0, 5);
  const under = await shoot(Number(CROWD), able.a_second * Number(TIMES));
  await pause(2_000);
  const after = await shoot(32, 0, 4);
  const client = await mongoose.mongo.MongoClient.connect(stand.mongodb);
  const there = await client.db(database).collection('tickets').countDocuments({});
  await client.db(database).dropDatabase();
  await client.close();
  const said = [warm, able, under, after].reduce((sum, { taken }) => sum + taken, 0);
  for (const [name, found] of Object.entries({ able, under, after })) say(`${name} ${JSON.stringify(found)}`);
  const times = (ms: number) => (ms / able.p99).toFixed(2);
  say(`L5 p99 under / able: ${times(under.p99)} (bar <= 2); after: ${times(after.p99)}`);
  say(`L5 the same without the first 2 s, in which a burst is still let in: ${times(under.p99_after_2_s)}`);
  say(`L5 taken under / able: ${(under.a_second / able.a_second).toFixed(2)} (aim >= 0.70)`);
  say(`L5 answered 201: ${said}, there: ${there}`);
  say(circumstances());
} finally {
  await stand.close();
}
process.exit(0);
