// The engine as a process of its own: prints one line of JSON when it serves, ends when told to or, with --keep, when the
// process that holds its stdin is gone.
import { parseArgs } from 'node:util';
import { startEngine } from './engine.ts';
import { isCommitFailure } from './storage.ts';

/** Started again after a kill -9, we may meet our former self, still closing. */
const FORMER_SELF_MS = 15_000;

const say = (fact: Record<string, unknown>): void => {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      socket: { type: 'string' },
      port: { type: 'string' },
      keep: { type: 'boolean', default: false },
      'expire-every': { type: 'string', default: '60000' },
    },
  });
  if (!values.data) throw new Error('--data DIR says where the data is');
  if (values.socket === undefined && values.port === undefined)
    throw new Error('--socket PATH or --port N says where to serve');
  const running = await startEngine({
    dataDir: values.data,
    patienceMs: values.keep ? FORMER_SELF_MS : 0,
    socket: values.socket,
    port: values.port === undefined ? undefined : Number(values.port),
    expireEveryMs: Number(values['expire-every']),
    log: (line) => process.stderr.write(`${line}\n`),
  });
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await running.stop();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop());
  process.on('SIGINT', () => void stop());
  if (values.keep) {
    process.stdin.on('end', () => void stop());
    process.stdin.resume();
  }
  say({ ready: true, pid: process.pid, socket: values.socket, port: running.port });
}

process.on('unhandledRejection', (reason) => {
  if (isCommitFailure(reason)) return;
  process.stderr.write(`${reason instanceof Error ? reason.stack : String(reason)}\n`);
  process.exit(1);
});

main().catch((error: unknown) => {
  say({ ready: false, reason: error instanceof Error ? error.message : String(error) });
  process.exit(1);
});
