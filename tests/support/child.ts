// Switchboard as a program of its own (dist), to be killed and started again on the same port with the same stores.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
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

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function childOf(env: Record<string, string>): Promise<Child> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let process_: ChildProcess | null = null;
  let said = '';

  const isReady = async () => {
    try {
      return (await fetch(`${url}/ready`, { headers: { connection: 'close' } })).ok;
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
        if (await isReady()) return;
        if (child.exitCode !== null) throw new Error(`Switchboard ended by itself:\n${said}`);
      }
      throw new Error(`Switchboard does not become ready:\n${said}`);
    },
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  };
}
