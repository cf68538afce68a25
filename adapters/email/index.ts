// Mail: what this process sends by it. Off until SMTP_URL is set.
import type { Config } from '../../src/config.ts';
import type { Mail } from './channel.ts';

export async function startEmail(config: Config): Promise<Mail | null> {
  if (!config.SMTP_URL) return null;
  const { openMail } = await import('./channel.ts');
  const domain = config.MAIL_DOMAIN ?? new URL(config.PUBLIC_URL ?? 'http://localhost').hostname;
  return openMail({
    smtpUrl: config.SMTP_URL,
    from: config.MAIL_FROM ?? `Switchboard <switchboard@${domain}>`,
    domain,
    publicUrl: config.PUBLIC_URL ?? 'http://localhost',
  });
}
