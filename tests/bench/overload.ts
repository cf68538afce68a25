// L5: three times as much as it can take. What is accepted is answered as fast as ever and is there; the rest is sent
// away at once with a time to come back; a moment later all is well. MONGODB_URI and REDIS_URL say where the stores are.
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import autocannon from 'autocannon';
import mongoose from 'mongoose';
import { newId } from '../../src/id.ts';
import { freePort } from '../support/started.ts';

const { MONGODB_URI = '', REDIS_URL = '', SECONDS = '10', TIMES = '3' } = process.env;
const database = `bench_overload_${newId()}`;
const port = String(await freePort());
const url = `http://127.0.0.1:${port}`;
const entry = path.resolve(import.meta.dirname, '..', '..', 'dist', 'tests', 'support', 'desk-process.js');
const desk = spawn(process.execPath, [entry], {
  env: {
    ...{ PATH: process.env.PATH, SWITCHBOARD_ENV: 'test', PORT: port, DATA_DIR: os.tmpdir() },
    ...{ MONGODB_URI, REDIS_URL, REDIS_PREFIX: database, DATABASE: database, LOG_LEVEL: 'error' },
    ...{ ADMIN_EMAIL: 'admin@company.com', ADMIN_PASSWORD: 'bench password', ROLES: 'api,worker' },
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  await new Promise((resolve) => desk.stdout.once('data', resolve));
  const login = await fetch(`${url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'admin@company.com', password: 'bench password' }),
  });
  const { access_token } = (await login.json()) as { access_token: string };
  const shoot = async (connections: number, overallRate?: number, duration = Number(SECONDS)) => {
    const taken: number[] = [];
    const late: [second: number, ms: number][] = [];
    const began = performance.now();
    let away = 0;
    let other = 0;
    await new Promise((resolve) => {
      const shots = autocannon(
        {
          url: `${url}/api/v1/tickets`,
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${access_token}` },
          body: JSON.stringify({ title: 'One of many' }),
          ...{ connections, duration, ...(overallRate ? { overallRate } : {}) },
        },
        resolve,
      );
      shots.on('response', (_client, status, _bytes, ms) => {
        if (status === 201) {
          taken.push(ms);
          late.push([Math.floor((performance.now() - began) / 1_000), ms]);
        } else if (status === 503) away++;
        else other++;
      });
    });
    taken.sort((a, b) => a - b);
    const at = (share: number) => Math.round(taken[Math.floor(taken.length * share)] ?? Number.NaN);
    return {
      connections,
      taken: taken.length,
      a_second: taken.length / duration,
      away,
      other,
      p50: at(0.5),
      p99: at(0.99),
      slowest_by_second: late.reduce((all: number[], [second, ms]) => {
        all[second] = Math.round(Math.max(all[second] ?? 0, ms));
        return all;
      }, []),
    };
  };
  await shoot(32, undefined, 3);
  const able = await shoot(32, undefined, 5);
  const under = await shoot(600, Math.round(able.a_second * Number(TIMES)));
  await pause(2_000);
  const after = await shoot(32, undefined, 4);
  const client = await mongoose.mongo.MongoClient.connect(MONGODB_URI);
  const there = await client.db(database).collection('tickets').countDocuments({});
  await client.db(database).dropDatabase();
  await client.close();
  const said = able.taken + under.taken + after.taken;
  console.log(
    JSON.stringify(
      { able, under, after, answered_201: said, there_with_warm_up: there, load: os.loadavg() },
      null,
      2,
    ),
  );
} finally {
  desk.kill('SIGKILL');
}
