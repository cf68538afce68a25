// `npm run replay`: sends messages again. Running workers do the sending; here they are only made due.
//   npm run replay -- <delivery id> ...
//   npm run replay -- --failed [--from 2026-01-01] [--to 2026-01-02] [--surface slack] [--dry-run]
//   npm run replay -- --ticket <ticket id>     what the relay had set aside, through the relay once more
import { parseArgs } from 'node:util';
import '../src/main.ts';
import { reinstate } from '../src/notify/poison.ts';
import { failedBetween, revive } from '../src/notify/receipts.ts';
import { disconnectStore } from '../src/store.ts';
import { installation, reachDatabase } from './installation.ts';

const asked = () =>
  parseArgs({
    allowPositionals: true,
    options: {
      failed: { type: 'boolean', default: false },
      from: { type: 'string' },
      to: { type: 'string' },
      surface: { type: 'string' },
      ticket: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
    },
  });

function instant(word: string | undefined, otherwise: Date): Date {
  const at = word === undefined ? otherwise : new Date(word);
  if (Number.isNaN(at.getTime()))
    throw new Error(`"${word}" is not a time: write it as 2026-01-31T08:00:00Z`);
  return at;
}

async function main(): Promise<string> {
  const { values, positionals } = asked();
  const { failed, from, to, surface, ticket, 'dry-run': isRehearsal } = values;
  if (!positionals.length && !failed && !ticket)
    throw new Error('What is to be sent again? Delivery ids, or --failed with --from and --to, or --ticket.');
  await reachDatabase(installation());
  if (ticket && !isRehearsal) return `${await reinstate(ticket)} entries go through the relay again.`;
  const window = failed
    ? await failedBetween(instant(from, new Date(0)), instant(to, new Date()), surface)
    : [];
  const ids = [...positionals, ...window];
  if (isRehearsal) return `${ids.length} messages would be sent again.`;
  let count = 0;
  for (let at = 0; at < ids.length; at += 500)
    count += (await revive(ids.slice(at, at + 500))).filter((one) => one.state === 'pending').length;
  const rest = ids.length - count;
  return `${count} messages are due again${rest ? `; ${rest} are unknown, or were sent already` : ''}.`;
}

try {
  console.log(await main());
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  await disconnectStore();
}
