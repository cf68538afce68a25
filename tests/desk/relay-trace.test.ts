// One trace leads from the request through the relay to the delivery.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type MailSink, openMailSink } from '../support/mail-sink.ts';
import { openPeer, type Peer, peerChannel } from '../support/peer.ts';
import { bind, file, say, until } from '../support/talk.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

interface Span {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
}
const spans: Span[] = [];
const collector = createServer((req, res) => {
  let body = '';
  req.on('data', (part) => {
    body += part;
  });
  req.on('end', () => {
    for (const resource of JSON.parse(body).resourceSpans)
      for (const scope of resource.scopeSpans) spans.push(...scope.spans);
    res.setHeader('content-type', 'application/json');
    res.setHeader('connection', 'close');
    res.end('{}');
  });
});
let world: World;
let peer: Peer;
let mail: MailSink;
beforeAll(async () => {
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  [peer, mail] = await Promise.all([openPeer(), openMailSink()]);
  world = await openWorld({
    channels: [peerChannel(peer.url)],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      ...{ SMTP_URL: mail.url, MAIL_FROM: 'desk@desk.example', NOTIFY_BUNDLE_SECONDS: '0' },
    },
  });
});
afterAll(async () => {
  await closeAll(world, peer, mail);
  collector.closeAllConnections();
  await new Promise((resolve) => collector.close(resolve));
});

test('a reply can be followed from the request to the place and to the letter in which it was heard', async () => {
  const ticket = await file(world, 'Follow me', { requester: 'asker@example.com' });
  await bind(ticket, 'traced', 'internal');
  await world.drain();
  await say(world, ticket, 'Can you follow me?');
  await world.drain();
  await until(() => peer.heard.some((one) => one.text.includes('Can you follow me?')));
  await until(() => mail.letters.some((one) => one.raw.includes('Can you follow me?')));
  const request = await until(() => spans.find((one) => one.name === 'POST /api/v1/tickets/{id}/comments'));
  const of = (name: string) =>
    spans.find(
      (one) => one.name === name && one.traceId === request.traceId && one.spanId !== request.spanId,
    );
  const relay = await until(() => of('relay'));
  expect(relay.parentSpanId).toBe(request.spanId);
  for (const surface of ['peer', 'email'])
    expect((await until(() => of(`deliver ${surface}`))).parentSpanId).toBe(relay.spanId);
});
