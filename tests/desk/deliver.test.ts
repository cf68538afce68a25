// Outgoing messages: to whom, in which order, and what becomes of them when the other side fails.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { doubled, openPeer, type Peer, peerChannel } from '../support/peer.ts';
import { bind, file, receipts, say, until } from '../support/talk.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

let peer: Peer;
let world: World;
beforeAll(async () => {
  peer = await openPeer();
  world = await openWorld({
    channels: [
      peerChannel(peer.url, { delays: [0.1, 0.1, 0.3, 0.5, 1, 1, 1, 1], patienceMs: 1_500, abreast: 2 }),
    ],
    env: { NOTIFICATIONS_ENABLED: 'false' },
  });
});
afterEach(() => {
  peer.manner = null;
});
afterAll(async () => {
  await closeAll(world, peer);
});
const told = (place: string, kind = 'post') =>
  peer.heard.filter((one) => one.place === place && one.kind === kind).map((one) => one.text);

describe('words and their audience', () => {
  test('a public reply reaches every place, a note only the internal ones', async () => {
    const ticket = await file(world);
    await bind(ticket, 'outside', 'public');
    await bind(ticket, 'inside', 'internal');
    await say(world, ticket, 'We are on our way.');
    await say(world, ticket, 'Marker-7: it was the intern', true);
    await world.drain();
    expect(told('outside')).toEqual(['We are on our way.']);
    expect(told('inside')).toEqual(['We are on our way.', 'Marker-7: it was the intern']);
    expect(JSON.stringify(peer.tried.filter((one) => one.place === 'outside'))).not.toContain('Marker-7');
  });

  test('an edit finds the message that it corrects, a deletion takes it away', async () => {
    const ticket = await file(world);
    await bind(ticket, 'edited', 'public');
    const comment = await say(world, ticket, 'At nine.');
    const as = await world.admin();
    await world.call('PUT', `/api/v1/comments/${comment}`, { as, body: { content: 'At ten.' } });
    await world.call('DELETE', `/api/v1/comments/${comment}`, { as });
    await world.drain();
    const [post, edit, gone] = peer.heard.filter((one) => one.place === 'edited' && one.kind !== 'card');
    expect(post).toMatchObject({ kind: 'post', text: 'At nine.' });
    expect(edit).toMatchObject({ kind: 'edit', text: 'At ten.', original: post?.id });
    expect(gone).toMatchObject({ kind: 'delete', original: post?.id });
  });

  test('a card is drawn again after a change, with the newest state', async () => {
    const ticket = await file(world, 'A card');
    await bind(ticket, 'cards', 'internal');
    await world.drain();
    const before = told('cards', 'card').length;
    const as = await world.admin();
    await world.call('PATCH', `/api/v1/tickets/${ticket.id}`, { as, body: { title: 'Another title' } });
    await world.drain();
    const cards = peer.heard.filter((one) => one.place === 'cards' && one.kind === 'card');
    expect(cards.length).toBe(before + 1);
    expect(cards.at(-1)?.title).toContain('Another title');
    const all = await receipts(world, ticket);
    expect(all.filter((one) => one.kind === 'card')).toHaveLength(1);
  });
});

describe('when the other side fails', () => {
  test('a fault is tried again, and nothing that came later overtakes it', async () => {
    const ticket = await file(world);
    await bind(ticket, 'shaky', 'public');
    let faults = 2;
    peer.manner = (one, _, res) => {
      if (one.place !== 'shaky' || one.kind === 'card' || faults-- <= 0) return false;
      res.statusCode = 503;
      res.end();
      return true;
    };
    for (const word of ['one', 'two', 'three']) await say(world, ticket, word);
    await until(() => told('shaky').length === 3);
    expect(told('shaky')).toEqual(['one', 'two', 'three']);
    expect(doubled(peer.heard)).toEqual([]);
    const [first] = (await receipts(world, ticket)).filter((one) => one.kind === 'post');
    expect(first).toMatchObject({ state: 'sent', error: null });
    expect(first?.attempts.map((one) => one.error)).toEqual([
      'the peer answered 503',
      'the peer answered 503',
      null,
    ]);
  });

  test('twenty words to one place follow each other at once, in order', async () => {
    const ticket = await file(world);
    await bind(ticket, 'lively', 'public');
    await world.drain();
    const words = Array.from({ length: 20 }, (_, n) => `word ${n}`);
    peer.manner = (one, _, res) => {
      if (one.place !== 'lively' || one.kind !== 'post') return false;
      peer.heard.push(one);
      setTimeout(() => res.end('{}'), 30);
      return true;
    };
    for (const word of words) await say(world, ticket, word);
    const asked = Date.now();
    await until(() => told('lively').length === words.length);
    expect(told('lively')).toEqual(words);
    // Each a round of the sweep later, they would be twenty seconds.
    expect(Date.now() - asked).toBeLessThan(10_000);
  });

  test('a refusal is final, stands in the history, and can be sent again by hand', async () => {
    const ticket = await file(world);
    await bind(ticket, 'closed', 'public');
    peer.manner = (one, _, res) => {
      if (one.place !== 'closed' || one.kind === 'card') return false;
      res.statusCode = 410;
      res.end();
      return true;
    };
    await say(world, ticket, 'Is anybody there?');
    await world.drain();
    const failed = (await receipts(world, ticket)).find((one) => one.kind === 'post');
    expect(failed).toMatchObject({ state: 'failed', error: 'The place is gone.' });
    const as = await world.admin();
    const history = await world.call('GET', `/api/v1/tickets/${ticket.id}/history?action=delivery_failed`, {
      as,
    });
    expect(history.body.items).toHaveLength(1);
    expect(history.body.items[0].facts).toMatchObject({ delivery: failed?.id, surface: 'peer' });
    peer.manner = null;
    const again = await world.call('POST', `/api/v1/deliveries/${failed?.id}/retry`, { as });
    expect(again.status).toBe(200);
    await world.drain();
    expect(told('closed')).toEqual(['Is anybody there?']);
    const twice = await world.call('POST', `/api/v1/deliveries/${failed?.id}/retry`, { as });
    expect(twice.body.error_code).toBe('E_DELIVERY_SENT');
  });

  test('a place that asks for patience gets it, and the others go on', async () => {
    const [busy, free] = [await file(world), await file(world)];
    await bind(busy, 'busy', 'public');
    await bind(free, 'free', 'public');
    await world.drain();
    let first = true;
    peer.manner = (one, _, res) => {
      if (one.place !== 'busy' || !first) return false;
      first = false;
      res.writeHead(429, { 'retry-after': '2' }).end();
      return true;
    };
    for (const word of ['one', 'two']) await say(world, busy, word);
    await say(world, free, 'on time');
    await until(() => told('free').length === 1 && told('busy').length === 2);
    const inTurn = peer.heard.filter((one) => one.kind === 'post').map((one) => one.place);
    expect(inTurn.slice(-3)).toEqual(['free', 'busy', 'busy']);
    expect(told('busy')).toEqual(['one', 'two']);
    const after = peer.tried
      .filter((one) => one.place === 'busy' && one.kind === 'post')
      .map((one) => one.at);
    expect((after[1] ?? 0) - (after[0] ?? 0)).toBeGreaterThanOrEqual(1_950);
  });

  test('a place that hangs holds nobody else up, and its attempt ends by the clock', async () => {
    const hung = await Promise.all(Array.from({ length: 8 }, () => file(world)));
    const fine = await file(world);
    for (const ticket of hung) await bind(ticket, 'hung', 'public');
    await bind(fine, 'fine', 'public');
    await world.drain();
    peer.manner = (one) => one.place === 'hung' && one.kind === 'post';
    await Promise.all(hung.map((ticket) => say(world, ticket, 'hello?')));
    await say(world, fine, 'quick');
    await until(() => told('fine').length === 1);
    // Two abreast, a second and a half each: behind them it would be told when all of them had been tried.
    const tried = peer.tried.filter((one) => one.place === 'hung' && one.kind === 'post');
    expect(new Set(tried.map((one) => one.id)).size).toBeLessThan(hung.length);
    const one = await until(async () =>
      (await receipts(world, hung[0] ?? fine)).find((each) => each.kind === 'post' && each.attempts.length),
    );
    expect(one.attempts[0]?.error).toBe('no answer within 1.5 s');
    peer.manner = null;
    await until(() => told('hung').length >= 8, 19_000);
    expect(doubled(peer.heard)).toEqual([]);
  }, 30_000);
});
