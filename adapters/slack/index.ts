// Slack, off until its variables are there: only then is anything of it loaded.
import type { Config } from '../../src/config.ts';
import type { Slack, SlackOptions } from './running.ts';

const isConfigured = (config: Config): boolean =>
  Boolean(
    (config.SLACK_BOT_TOKEN || (config.SLACK_CLIENT_ID && config.SLACK_CLIENT_SECRET)) &&
      (config.SLACK_SIGNING_SECRET || config.SLACK_APP_TOKEN),
  );

export async function startSlack(options: SlackOptions): Promise<Slack | null> {
  if (!isConfigured(options.config)) return null;
  const { openSlack } = await import('./running.ts');
  return openSlack(options);
}
