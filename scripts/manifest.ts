// Prints the Slack app manifest, to be pasted at api.slack.com: `npm run manifest -- [--socket] [public url]`.
import { manifest } from '../adapters/slack/manifest.ts';

const given = process.argv.slice(2);
const url =
  given.find((word) => !word.startsWith('--')) ?? process.env.PUBLIC_URL ?? 'https://switchboard.example.com';
const socket = given.includes('--socket') || Boolean(process.env.SLACK_APP_TOKEN);
console.log(JSON.stringify(manifest(url, socket), null, 2));
