// Switchboard in a process of its own, for tests that kill it: the roles of ROLES, speaking to the peer at PEER_URL.
import { loadConfig } from '../../src/config.ts';
import { openLog } from '../../src/log.ts';
import { run } from '../../src/main.ts';
import { peerChannel } from './peer.ts';

const {
  PEER_URL = '',
  DATABASE = '',
  PEER_KNOWS = 'true',
  PEER_CARDS = 'true',
  PEER_KEEPS = 'false',
} = process.env;
const config = loadConfig();
const channel = peerChannel(PEER_URL, {
  patienceMs: 20_000,
  delays: [0.2, 0.5, 1, 1, 1, 1, 1, 1, 1, 1],
  knows: PEER_KNOWS === 'true',
  keeps: PEER_KEEPS === 'true',
  ...(PEER_CARDS === 'true' ? {} : { kinds: ['post'] }),
});
const { send } = channel;
channel.send = async (delivery, sending) => {
  if (delivery.message.text === 'Marker-11: fatal') process.kill(process.pid, 'SIGKILL');
  return send(delivery, sending);
};
const running = await run(config, openLog(config.LOG_LEVEL), DATABASE, { channels: [channel] });
process.once('SIGTERM', () => void running.stop().then(() => process.exit(0)));
process.stdout.write(`ready ${running.url}\n`);
