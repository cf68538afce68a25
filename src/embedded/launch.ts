// Starts the engine's process and keeps it up: when it dies it is started again, with a line in the log. It cannot
// outlive its starter, whose end closes its stdin.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CannotStart } from './folder.ts';

export type LaunchOptions = {
  dataDir: string;
  socket?: string | undefined;
  /** Loopback TCP; 0 takes any free port. */
  port?: number | undefined;
  log: (line: string) => void;
};

export type Launched = { uri: string; readonly pid: number | undefined; stop(): Promise<void> };

type Ready = { ready: boolean; port?: number; reason?: string };

type Begun = { child: ChildProcess; ready: Ready };

const LONGEST_PAUSE_MS = 5_000;

async function begin(options: LaunchOptions, port: number | undefined): Promise<Begun> {
  const program = fileURLToPath(new URL('./process.js', import.meta.url));
  const where = options.socket === undefined ? [] : ['--socket', options.socket];
  if (port !== undefined) where.push('--port', String(port));
  const child = spawn(process.execPath, [program, '--data', options.dataDir, '--keep', ...where], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Its own process group: Ctrl-C is for us, and the stores stop last.
    detached: true,
  });
  child.stdin?.on('error', () => undefined);
  if (child.stderr) createInterface(child.stderr).on('line', options.log);
  const lines = child.stdout ? createInterface(child.stdout) : undefined;
  const ready = await Promise.race([
    new Promise<Ready>((done) => lines?.once('line', (line) => done(JSON.parse(line) as Ready))),
    once(child, 'exit').then(([code]): Ready => ({ ready: false, reason: `it ended with ${code}` })),
    once(child, 'error').then(([error]): Ready => ({ ready: false, reason: String(error) })),
  ]);
  return { child, ready };
}

export async function launchEngine(options: LaunchOptions): Promise<Launched> {
  const { log } = options;
  let stopping = false;
  let { child, ready } = await begin(options, options.port);
  if (!ready.ready) throw new CannotStart(`The embedded database cannot start: ${ready.reason}`);
  const port = ready.port ?? options.port;

  async function restart(): Promise<void> {
    for (let wait = 50; !stopping; wait = Math.min(2 * wait, LONGEST_PAUSE_MS)) {
      await pause(wait);
      if (stopping) return;
      ({ child, ready } = await begin(options, port));
      if (ready.ready) log(`the embedded database is back (pid ${child.pid})`);
      else log(`the embedded database cannot start: ${ready.reason}`);
      if (ready.ready) return watch();
    }
  }

  function watch(): void {
    child.once('exit', (code, signal) => {
      if (stopping) return;
      log(`the embedded database ended (${signal ?? code}): starting it again`);
      void restart();
    });
  }

  watch();
  const where = options.socket === undefined ? `127.0.0.1:${port}` : encodeURIComponent(options.socket);
  return {
    uri: `mongodb://${where}/?directConnection=true`,
    get pid() {
      return child.pid;
    },
    async stop() {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}
