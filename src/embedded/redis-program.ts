// Finding redis-server (or valkey-server) on this machine, and on Debian and Ubuntu bringing it, when we may.
// The packaged service must not run: ours is a child of Switchboard, with its data in DATA_DIR.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { CannotStart } from './folder.ts';

export type Say = (line: string) => void;

const NAMES = ['redis-server', 'valkey-server'];
const LEAST = [6, 2];
const HOW = `REDIS_URL: no redis-server (or valkey-server) on the PATH, and no REDIS_URL. Install one: \`apt install redis-server\` (Debian, Ubuntu), \`brew install redis\` (macOS),
or use \`docker compose up\`, or set REDIS_URL to a Redis that runs elsewhere, for example redis://127.0.0.1:6379.`;

type Environment = Record<string, string | undefined>;

export async function findRedis(say: Say, env: Environment = process.env): Promise<string> {
  const found = onPath(env);
  if (found) return found;
  const asRoot = waysToRoot(env);
  if (!existsSync('/etc/debian_version') || !asRoot) throw new CannotStart(HOW);
  say('Installing redis-server from the packages of this system (once) ...');
  const problem = await install(asRoot, env);
  const installed = onPath(env);
  if (installed) return installed;
  throw new CannotStart(`${problem ? `Installing redis-server failed: ${problem}\n` : ''}${HOW}`);
}

function onPath(env: Environment): string | undefined {
  for (const name of NAMES) {
    const asked = spawnSync(name, ['--version'], { env, encoding: 'utf8' });
    if (asked.status !== 0) continue;
    const [major = 0, minor = 0] = (/v=(\d+)\.(\d+)/.exec(asked.stdout) ?? []).slice(1).map(Number);
    if (major > (LEAST[0] ?? 0) || (major === LEAST[0] && minor >= (LEAST[1] ?? 0))) return name;
    throw new CannotStart(
      `REDIS_URL: ${name} on the PATH is version ${major}.${minor}, and ${LEAST.join('.')} or newer is needed. Update it, or set REDIS_URL to a newer one.`,
    );
  }
  return undefined;
}

/** How to run a command as root without asking anybody: directly, by password-less sudo, or not at all. */
function waysToRoot(env: Environment): string[] | undefined {
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { env, stdio: 'ignore' }).status === 0
    ? ['sudo', '-n']
    : undefined;
}

// policy-rc.d is how Debian is told not to start a service that it installs.
const INSTALL = `
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\\nexit 101\\n' > "$policy" && chmod 755 "$policy"
fi
apt="apt-get -q -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o DPkg::Lock::Timeout=120"
$apt update || echo 'apt-get update failed; trying with the lists at hand'
$apt install -y --no-install-recommends redis-server
if command -v systemctl >/dev/null 2>&1; then systemctl disable --now redis-server >/dev/null 2>&1 || true; fi
`;

function install(asRoot: string[], env: Environment): Promise<string | undefined> {
  const [program = 'sh', ...args] = [...asRoot, 'sh', '-c', INSTALL];
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let words = '';
    const listen = (chunk: Buffer) => {
      words = (words + chunk).slice(-4_000);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) =>
      resolve(code === 0 ? undefined : words.trim().split('\n').slice(-4).join('\n')),
    );
  });
}
