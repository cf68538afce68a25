// One company's flood is not another's wait.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemCtx } from '../../src/context.ts';
import { openDesk } from '../../src/desks/desks.ts';
import { newId } from '../../src/id.ts';
import { openLog } from '../../src/log.ts';
import { open } from '../../src/tickets/change.ts';
import { doubled, openPeer, type Peer, peerChannel } from '../support/peer.ts';
import { bind, file, say, until } from '../support/talk.ts';
import { openWorld, type World } from '../support/world.ts';

const FLOOD = 600;
let peer: Peer;
let world: World;
beforeAll(async () => {
  peer = await openPeer();
  world = await openWorld({
    channels: [peerChannel(peer.url, { kinds: ['post'] })],
    env: { NOTIFICATIONS_ENABLED: 'false' },
  });
});
afterAll(async () => {
  await world?.close();
  await peer?.close();
});

test('while one company floods the desk, the word of another is told at once', async () => {
  const ours = await file(world);
  await bind(ours, 'ours', 'public');
  await world.drain();
  const ctx = systemCtx({ log: openLog('silent') }, newId());
  const desk = await openDesk(ctx, { key: 'NOISE', name: 'Noise', preset: 'support' });
  const requester = { kind: 'contact' as const, id: newId(), name: 'Loud', email: null };
  const flood = Array.from({ length: FLOOD }, (_, n) =>
    open(
      ctx,
      desk,
      {
        title: 'Noise',
        requester,
        conversations: [
          { id: `peer:noise-${n}`, surface: 'peer', audience: 'public', at: { place: `noise-${n % 50}` } },
        ],
      },
      [{ action: 'comment_added', set: {}, comment: { id: newId(), audience: 'public', text: 'noise' } }],
    ),
  );
  await Promise.all(flood);
  const noise = () => peer.heard.filter((one) => one.place !== 'ours').length;
  for (const word of ['one', 'two', 'three']) {
    const before = noise();
    await say(world, ours, word);
    await until(() => peer.heard.some((one) => one.place === 'ours' && one.text === word), 30_000);
    // Behind a round that is under way, never behind the flood.
    expect(noise() - before).toBeLessThan(FLOOD / 2);
    if (word === 'one') expect(noise()).toBeLessThan(FLOOD - 100);
  }
  await until(() => noise() === FLOOD, 60_000);
  expect(doubled(peer.heard)).toEqual([]);
}, 90_000);
