// One trace leads from the request through the relay to the delivery.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openPeer, type Peer, peerChannel } from '../support/peer.ts';
import { bind, file, say, until } from '../support/talk.ts';
import { openWorld, type World } from '../support/world.ts';

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
beforeAll(async () => {
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  peer = await openPeer();
  world = await openWorld({
    channels: [peerChannel(peer.url)],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      NOTIFICATIONS_ENABLED: 'false',
    },
  });
});
afterAll(async () => {
  await world?.close();
  await peer?.close();
  collector.closeAllConnections();
  await new Promise((resolve) => collector.close(resolve));
});

test('a reply can be followed from the request to the place where it was heard', async () => {
  const ticket = await file(world);
  await bind(ticket, 'traced', 'public');
  await world.drain();
  await say(world, ticket, 'Can you follow me?');
  await until(() => peer.heard.some((one) => one.text === 'Can you follow me?'));
  const request = await until(() => spans.find((one) => one.name === 'POST /api/v1/tickets/{id}/comments'));
  const of = (name: string) =>
    spans.find(
      (one) => one.name === name && one.traceId === request.traceId && one.spanId !== request.spanId,
    );
  const relay = await until(() => of('relay'));
  const delivery = await until(() => of('deliver peer'));
  expect(relay.parentSpanId).toBe(request.spanId);
  expect(delivery.parentSpanId).toBe(relay.spanId);
});
