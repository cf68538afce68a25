// Mail as a surface: letters handed to the SMTP server. 5xx is final, everything else is tried again; a letter that may
// be out already goes out with the same Message-ID, by which mail systems know it for the same.
import { createTransport } from 'nodemailer';
import { Refusal } from '../../src/errors.ts';
import type { Channel, Receipt } from '../../src/notify/channel.ts';
import { unsubscribeToken } from '../../src/notify/unsubscribing.ts';
import { findContact } from '../../src/people/actors.ts';
import { member } from '../../src/people/members.ts';
import { letterFor, type Paper } from './letter.ts';

export interface MailOptions {
  smtpUrl: string;
  from: string;
  domain: string;
  publicUrl: string;
}

export interface Mail {
  channel: Channel;
  stop: () => Promise<void>;
}

/** What the server says of one letter, not of itself: no use in trying again. */
const FINAL = (code: number) => code >= 500 && code !== 535 && code !== 530 && code !== 534;

export function openMail({ smtpUrl, from, domain, publicUrl }: MailOptions): Mail {
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: 4,
    maxMessages: 200,
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 25_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const paper: Paper = {
    domain,
    ticketUrl: (key) => `${publicUrl}/tickets/${encodeURIComponent(key)}`,
    unsubscribeUrl: (person) =>
      `${publicUrl}/api/v1/notifications/unsubscribe/${unsubscribeToken(person.kind, person.id)}`,
  };
  const channel: Channel = {
    surface: 'email',
    kinds: ['post', 'notice'],
    abreast: 8,
    patienceMs: 30_000,
    endpoint: () => 'smtp',
    reach: async (company, { kind, id }) => {
      const address =
        kind === 'user' ? await addressOfUser(company, id) : (await findContact(company, id))?.emails[0];
      return address ? { address } : null;
    },
    send: async (delivery): Promise<Receipt> => {
      const { address } = delivery.to.at;
      if (!address) throw new Refusal('unknown', 'mail.no_address', 'There is no address to write to.');
      const letter = letterFor(delivery, address, paper);
      try {
        const sent = await transport.sendMail({ from, ...letter });
        return { ids: { messageId: letter.messageId, response: String(sent.response ?? '').slice(0, 200) } };
      } catch (error) {
        const { responseCode, response, message } = error as Error & {
          responseCode?: number;
          response?: string;
        };
        if (responseCode !== undefined && FINAL(responseCode))
          throw new Refusal('refused', 'mail.refused', (response ?? message).slice(0, 300));
        throw error;
      }
    },
  };
  return { channel, stop: async () => transport.close() };
}

async function addressOfUser(company: string, id: string): Promise<string | null> {
  const user = await member(id);
  return user?.company === company && user.active ? user.email : null;
}
