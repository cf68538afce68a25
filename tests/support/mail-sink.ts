// A mail server that keeps every letter as it came, and refuses addresses that ask for it: `full@` for now (452),
// `gone@` for good (550).
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export interface Letter {
  to: string[];
  raw: string;
  /** A header's value, unfolded; empty when it is not there. */
  header: (name: string) => string;
}

export interface MailSink {
  url: string;
  letters: Letter[];
  close: () => Promise<void>;
}

export async function openMailSink(): Promise<MailSink> {
  const letters: Letter[] = [];
  const refused = (code: number, words: string) => Object.assign(new Error(words), { responseCode: code });
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    logger: false,
    onRcptTo: ({ address }, _, done) => {
      if (address.startsWith('full')) return done(refused(452, 'mailbox full'));
      if (address.startsWith('gone')) return done(refused(550, 'no such mailbox'));
      return done();
    },
    onData: (stream, session, done) => {
      let raw = '';
      stream.on('data', (part) => {
        raw += part;
      });
      stream.on('end', () => {
        const [head = ''] = raw.split('\r\n\r\n');
        const unfolded = head.replaceAll(/\r\n[ \t]+/g, ' ');
        letters.push({
          to: session.envelope.rcptTo.map((one) => one.address),
          raw,
          header: (name) => new RegExp(`^${name}: (.*)$`, 'im').exec(unfolded)?.[1] ?? '',
        });
        done();
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    letters,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
