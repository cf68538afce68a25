// The bare work that the desk is compared with: node:http with JSON and one durable insert or one indexed find, Express
// that echoes, and a hash. A process of its own: `floor.ts URI` prints where it listens.
import { createServer } from 'node:http';
import os from 'node:os';
import { verify } from '@node-rs/argon2';
import express from 'express';
import mongoose from 'mongoose';

const [uri = '', hashed = ''] = process.argv.slice(2);
// Where other programs want the processor too, bare hashing must stand back as ours does, or only that is measured.
if (hashed) os.setPriority(10);
await mongoose.connect(uri, { writeConcern: { w: 'majority', journal: true }, retryWrites: false });
const things = mongoose.connection.collection('floor');
const tickets = mongoose.connection.collection('tickets');

const bare = createServer((req, res) => {
  const send = (value: unknown) =>
    res.setHeader('content-type', 'application/json').end(JSON.stringify(value));
  const { pathname, searchParams } = new URL(req.url ?? '/', 'http://x');
  if (pathname === '/hash') {
    void verify(hashed, 'bench password').then((fits) => send({ fits }));
    return;
  }
  if (req.method === 'GET') {
    const word = searchParams.get('word');
    void tickets
      .find({ company: searchParams.get('company'), ...(word ? { words: word } : { status: 'new' }) })
      .sort({ createdAt: -1, _id: -1 })
      .limit(50)
      .toArray()
      .then(send);
    return;
  }
  let text = '';
  req.on('data', (part) => {
    text += part;
  });
  req.on(
    'end',
    () =>
      void things
        .insertOne({ ...JSON.parse(text), at: new Date() })
        .then(({ insertedId }) => send({ id: insertedId })),
  );
}).listen(0, '127.0.0.1');
const app = express();
app.use(express.json());
app.post('/', (req, res) => void res.json(req.body));
const echo = app.listen(0, '127.0.0.1');
const port = (server: { address(): unknown }) => (server.address() as { port: number }).port;
const ready = () => process.stdout.write(`${JSON.stringify({ bare: port(bare), echo: port(echo) })}\n`);
setTimeout(ready, 200);
