// Switchboard as a program of its own (dist), to be killed and started again on the same port with the same stores.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export interface Child {
  url: string;
  start(): Promise<void>;
  /** As the power does: no chance to say goodbye. */
  kill(): Promise<void>;
  /** As an operator does. Returns the exit code. */
  stop(): Promise<number | null>;
}

/** Below the range from which the system hands out ports: nobody takes it over while its owner is dead. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

export async function childOf(env: Record<string, string>): Promise<Child> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let process_: ChildProcess | null = null;
  let said = '';

  /** Up is enough: whoever asks too early is told so, and asks again. */
  const isUp = async () => {
    try {
      return (await fetch(`${url}/health`, { headers: { connection: 'close' } })).ok;
    } catch {
      return false;
    }
  };
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const child = process_;
    process_ = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const gone = once(child, 'exit');
    child.kill(signal);
    const [code] = await gone;
    return code;
  };
  return {
    url,
    async start() {
      const child = spawn(process.execPath, ['dist/src/main.js'], {
        env: { ...process.env, ...env, PORT: String(port), HOST: '127.0.0.1' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      process_ = child;
      said = '';
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (bytes) => {
          said = (said + bytes).slice(-20_000);
        });
      for (const until = Date.now() + 60_000; Date.now() < until; await pause(25)) {
        if (child.exitCode !== null) throw new Error(`Switchboard ended by itself:\n${said}`);
        if (await isUp()) return;
      }
      throw new Error(`Switchboard does not come up:\n${said}`);
    },
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  };
}
