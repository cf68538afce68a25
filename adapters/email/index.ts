// Mail: what this process sends by it. Off until SMTP_URL is set.
import type { Config } from '../../src/config.ts';
import { type Mail, openMail } from './channel.ts';

export function startEmail(config: Config): Mail | null {
  if (!config.SMTP_URL) return null;
  const domain = config.MAIL_DOMAIN ?? new URL(config.PUBLIC_URL ?? 'http://localhost').hostname;
  return openMail({
    smtpUrl: config.SMTP_URL,
    from: config.MAIL_FROM ?? `Switchboard <switchboard@${domain}>`,
    domain,
    publicUrl: config.PUBLIC_URL ?? 'http://localhost',
  });
}
