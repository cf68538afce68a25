// Who asks, as far as that is known before anything is checked: whose token was good of late is that person or program;
// all others at one address count as one, whatever they call themselves. Only for fairness: nobody gets in by it.
import type { IncomingMessage } from 'node:http';
import type { Actor } from '../../src/context.ts';

type Asked = Pick<IncomingMessage, 'headers' | 'socket'>;

export interface Callers {
  nameOf(req: Asked): string;
  met(req: Asked, actor: Actor): void;
}

const MOST = 5_000;

export function openCallers(): Callers {
  const known = new Map<string, string>();
  const credential = ({ headers }: Asked) => String(headers['x-api-key'] ?? headers.authorization ?? '');
  return {
    nameOf: (req) => known.get(credential(req)) ?? `from ${req.socket.remoteAddress}`,
    met(req, { id }) {
      const own = credential(req);
      if (known.get(own) === id) return;
      if (known.size >= MOST) known.clear();
      known.set(own, id);
    },
  };
}
