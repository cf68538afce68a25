// What a delivery looks like in Slack: somebody's words, a notice of ours, a card. The ticket is read as it stands now.
import { systemCtx } from '../../src/context.ts';
import type { Delivery } from '../../src/notify/channel.ts';
import { awaitsVerdict } from '../../src/tickets/asking.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import { read } from '../../src/tickets/tickets.ts';
import { type Drawing, requesterCard, saying, speech, triageCard } from './blocks.ts';
import { actions, button, within } from './elements.ts';
import { factsOf } from './facts.ts';
import type { Host } from './host.ts';

const ticketOf = (host: Host, { company, message }: Delivery): Promise<Ticket | null> =>
  message.ticket
    ? read(systemCtx({ log: host.log, now: host.now }, company, 'slack'), message.ticket.id).catch(() => null)
    : Promise.resolve(null);

export async function drawPost(host: Host, delivery: Delivery): Promise<Drawing> {
  const { message, audience } = delivery;
  if (message.comment) return speech(message.by, message.text, message.isNote ? ':lock: ' : '');
  const said = saying(message.text || message.title);
  if (audience !== 'public' || !message.ticket || message.news[0]?.event !== 'status') return said;
  const ticket = await ticketOf(host, delivery);
  if (!ticket || !awaitsVerdict(ticket)) return said;
  return requesterCard(await factsOf(host, ticket), `${message.by} says that this is solved:`);
}

export async function drawNotice(host: Host, delivery: Delivery): Promise<Drawing> {
  const { message, audience } = delivery;
  const said = saying(`**${message.title.replace(/[*_`[\]]/g, '')}**\n${message.text}`);
  if (!message.ticket) return said;
  const ticket = await ticketOf(host, delivery);
  if (!ticket) return said;
  const facts = await factsOf(host, ticket);
  if (audience === 'internal')
    return {
      text: said.text,
      blocks: within(
        [...said.blocks, actions(`notice:${ticket._id}`, [button('ticket_show', 'Show', ticket._id)])],
        50,
      ),
    };
  const card = requesterCard(facts, '');
  return { text: said.text, blocks: within([...said.blocks, ...card.blocks], 50) };
}

export const drawCard = async (
  host: Host,
  ticket: Ticket,
  audience: Delivery['audience'],
): Promise<Drawing> => {
  const facts = await factsOf(host, ticket);
  return audience === 'internal' ? triageCard(facts) : requesterCard(facts);
};
