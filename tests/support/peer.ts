// A surface of its own kind for the tests: a small HTTP server that keeps and counts what it is told, and can be made to
// fail, hang, drip or ask for patience; and the channel that speaks to it. The peer knows messages by their delivery id.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Refusal } from '../../src/errors.ts';
import { type Channel, later, type Receipt } from '../../src/notify/channel.ts';

export interface Heard {
  id: string;
  place: string;
  kind: string;
  audience: string;
  title: string;
  text: string;
  ticket: string | null;
  original: string | null;
  at: number;
}

export type Manner = (heard: Heard, req: IncomingMessage, res: ServerResponse) => boolean;

export interface Peer {
  url: string;
  /** What was taken, in order. */
  heard: Heard[];
  /** Everything that was said, taken or not. */
  tried: Heard[];
  /** Answers by itself and returns true, or leaves it to the ordinary answer. */
  manner: Manner | null;
  asked: number;
  close: () => Promise<void>;
}

export async function openPeer(): Promise<Peer> {
  const heard: Heard[] = [];
  const tried: Heard[] = [];
  const peer: Peer = { url: '', heard, tried, manner: null, asked: 0, close: async () => {} };
  const server: Server = createServer((req, res) => {
    if (req.method === 'GET') {
      peer.asked++;
      const known = heard.find((one) => req.url === `/messages/${one.id}`);
      res.statusCode = known ? 200 : 404;
      res.end(JSON.stringify(known ?? {}));
      return;
    }
    let body = '';
    req.on('data', (part) => {
      body += part;
    });
    req.on('end', () => {
      const one = { ...(JSON.parse(body) as Heard), at: Date.now() };
      tried.push(one);
      if (peer.manner?.(one, req, res)) return;
      heard.push(one);
      res.end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  peer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  peer.close = async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return peer;
}

/** How often each message was taken more than once: must be empty. */
export const doubled = (heard: readonly Heard[]): string[] => {
  const counts = new Map<string, number>();
  for (const { id, kind } of heard) if (kind !== 'card') counts.set(id, (counts.get(id) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > 1).map(([id]) => id);
};

export function peerChannel(
  url: string,
  given: Partial<Channel> & { knows?: boolean; keeps?: boolean } = {},
): Channel {
  const { knows = true, keeps = false, ...rest } = given;
  const close: Record<string, string> = keeps ? {} : { connection: 'close' };
  return {
    surface: 'peer',
    kinds: ['post', 'edit', 'delete', 'card', 'notice'],
    endpoint: (to) => to.at.place ?? '',
    reach: async (_, person) => ({ place: `person-${person.id}` }),
    send: async (delivery, { signal, original }): Promise<Receipt> => {
      const { _id: id, to, message } = delivery;
      const answer = await fetch(`${url}/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...close },
        signal,
        body: JSON.stringify({
          id,
          place: to.at.place,
          kind: message.kind,
          audience: message.audience,
          title: message.title,
          text: message.text,
          ticket: message.ticket?.id ?? null,
          original: original?.ids.id ?? null,
        }),
      });
      await answer.text();
      if (answer.status === 429) throw later(Number(answer.headers.get('retry-after') ?? 1));
      if (answer.status === 410) throw new Refusal('unknown', 'peer.gone', 'The place is gone.');
      if (!answer.ok) throw new Error(`the peer answered ${answer.status}`);
      return { ids: { id } };
    },
    ...(knows
      ? {
          find: async ({ _id }, { signal }) => {
            const answer = await fetch(`${url}/messages/${_id}`, {
              signal,
              headers: close,
            });
            await answer.text();
            if (answer.status >= 500) throw new Error(`the peer answered ${answer.status}`);
            return answer.ok ? { ids: { id: _id } } : null;
          },
        }
      : {}),
    ...rest,
  };
}
