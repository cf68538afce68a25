// Prints the Slack app manifest, to be pasted at api.slack.com: `npm run manifest -- [--socket] [public url]`.
import { manifest } from '../adapters/slack/manifest.ts';

const given = process.argv.slice(2);
const url =
  given.find((word) => !word.startsWith('--')) ?? process.env.PUBLIC_URL ?? 'https://switchboard.example.com';
const socket = given.includes('--socket') || Boolean(process.env.SLACK_APP_TOKEN);
if (!URL.canParse(url)) {
  console.error(`"${url}" is no address such as https://desk.example.com.`);
  process.exit(1);
}
console.log(JSON.stringify(manifest(url, socket), null, 2));
