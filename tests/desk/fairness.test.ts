// One company's flood is not another's wait.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { systemCtx } from '../../src/context.ts';
import { openDesk } from '../../src/desks/desks.ts';
import { newId } from '../../src/id.ts';
import { openLog } from '../../src/log.ts';
import { open } from '../../src/tickets/change.ts';
import { doubled, openPeer, type Peer, peerChannel } from '../support/peer.ts';
import { bind, file, say, until } from '../support/talk.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

const FLOOD = 400;
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
  await closeAll(world, peer);
});

/** So many tickets of another company at once, each with a word for one of eighty places. */
async function flood(size: number): Promise<void> {
  const ctx = systemCtx({ log: openLog('silent') }, newId());
  const desk = await openDesk(ctx, { key: 'NOISE', name: 'Noise', preset: 'support' });
  const requester = { kind: 'contact' as const, id: newId(), name: 'Loud', email: null };
  const at = (n: number) => ({ place: `noise-${n % 80}` });
  await Promise.all(
    Array.from({ length: size }, (_, n) =>
      open(
        ctx,
        desk,
        {
          ...{ title: 'Noise', requester },
          conversations: [{ id: `peer:noise-${n}`, surface: 'peer', audience: 'public', at: at(n) }],
        },
        [{ action: 'comment_added', set: {}, comment: { id: newId(), audience: 'public', text: 'noise' } }],
      ),
    ),
  );
}
const noise = () => peer.heard.filter((one) => one.place.startsWith('noise')).length;

test('while one company floods the desk, the word of another is told at once', async () => {
  const ours = await file(world);
  await bind(ours, 'ours', 'public');
  await world.drain();
  await flood(FLOOD);
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

test('while all of their places are slow, ours is not behind them in a queue', async () => {
  const ours = await file(world);
  await bind(ours, 'quick', 'public');
  await world.drain();
  const before = noise();
  let held: (() => void)[] = [];
  peer.manner = (one, _, res) => {
    if (!one.place.startsWith('noise')) return false;
    held.push(() => {
      peer.heard.push(one);
      res.end('{}');
    });
    return true;
  };
  await flood(FLOOD);
  // As many as are seen to at once are under way, four at each place, and none comes to its end.
  await until(() => held.length >= 240, 30_000);
  await say(world, ours, 'now');
  await until(() => peer.heard.some((one) => one.place === 'quick'), 40_000);
  expect(noise()).toBe(before);
  peer.manner = null;
  for (const answer of held) answer();
  held = [];
  await until(() => noise() === before + FLOOD, 60_000);
  expect(doubled(peer.heard)).toEqual([]);
}, 90_000);
