// What a fresh clone lacks: the packages of the lock file, and the build. Each is made only when it is missing or
// older than what it is made from. Runs before any package is there: node built-ins only.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => path.join(root, ...parts);

class Plain extends Error {
  plain = true;
}

/** Packages and build; quick when both stand. */
export async function prepare() {
  try {
    if (packagesStand() && buildStands(fingerprint())) return;
    await alone(async () => {
      if (!packagesStand()) await install();
      const sources = fingerprint();
      if (!buildStands(sources)) await build(sources);
    });
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOSPC'].includes(error.code)) throw error;
    throw new Plain(
      `${error.path ?? root} cannot be written (${error.code}): packages and build go there. Let this user write in ${root}, or make room.`,
    );
  }
}

/** Two starts in one folder must not install at the same time. The lock is a socket without a file: it dies with us. */
async function alone(work) {
  if (process.platform !== 'linux') return work();
  const name = `\0switchboard-prepare-${createHash('sha256').update(realpathSync(root)).digest('hex').slice(0, 16)}`;
  let server;
  for (let tries = 0; !server; tries++) {
    server = await new Promise((resolve) => {
      const candidate = createServer();
      candidate.once('error', () => resolve(undefined));
      candidate.listen(name, () => resolve(candidate));
    });
    if (server) break;
    if (tries === 0) console.error('Another start prepares this folder: waiting for it.');
    await pause(300);
  }
  try {
    return await work();
  } finally {
    server.close();
  }
}

/** Does node_modules hold what the lock file says? npm writes its own copy of the lock when an install is complete. */
function packagesStand() {
  const kept = at('node_modules', '.package-lock.json');
  if (!existsSync(kept)) return false;
  const want = JSON.parse(readFileSync(at('package-lock.json'), 'utf8')).packages;
  const have = JSON.parse(readFileSync(kept, 'utf8')).packages;
  for (const [folder, entry] of Object.entries(want)) {
    if (folder === '') continue;
    if (have[folder] ? have[folder].version !== entry.version : !entry.optional) return false;
  }
  return true;
}

async function install() {
  const npm = process.env.npm_execpath;
  const [program, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  // A NODE_ENV of production must not leave the compiler out.
  const words = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  await step('Installing the packages (half a minute or so, the first time only)', program, [
    ...first,
    ...words,
  ]);
}

async function build(sources) {
  // tsc writes only what has changed since its last build, which must then be whole, and drops nothing by itself.
  if (!existsSync(at('dist', '.sources'))) rmSync(at('dist'), { recursive: true, force: true });
  rmSync(at('dist', '.sources'), { force: true });
  for (const part of ['src', 'adapters', 'scripts']) dropOrphans(part);
  const tsc = at('node_modules', 'typescript', 'bin', 'tsc');
  // Types are for `npm run check`; here they would only cost time.
  await step('Building', process.execPath, [tsc, '-p', 'tsconfig.build.json', '--noCheck']);
  writeFileSync(at('dist', '.sources'), sources);
}

function dropOrphans(folder) {
  if (!existsSync(at('dist', folder))) return;
  for (const name of readdirSync(at('dist', folder), { recursive: true })) {
    const source = at(folder, name.replace(/\.js(\.map)?$/, '.ts'));
    if (/\.js(\.map)?$/.test(name) && !existsSync(source)) rmSync(at('dist', folder, name));
  }
}

const buildStands = (sources) =>
  existsSync(at('dist', '.sources')) && readFileSync(at('dist', '.sources'), 'utf8') === sources;

/** Name, size and time of everything that the build is made from. */
function fingerprint() {
  const hash = createHash('sha256');
  const visit = (file) => {
    const facts = statSync(at(file), { throwIfNoEntry: false });
    if (!facts) return;
    if (facts.isDirectory()) for (const name of readdirSync(at(file)).sort()) visit(`${file}/${name}`);
    else if (/\.(ts|json)$/.test(file)) hash.update(`${file} ${facts.size} ${facts.mtimeMs}\n`);
  };
  for (const name of [
    'src',
    'adapters',
    'scripts',
    'tests/support/desk-process.ts',
    'tests/support/peer.ts',
    'tsconfig.json',
    'tsconfig.build.json',
    'package-lock.json',
  ])
    visit(name);
  return hash.digest('hex');
}

// Ends the program when its standard input ends, that is, when we do, however we end.
const KEEPER = `
exec 3<&0
"$@" 3<&- </dev/null &
program=$!
( while read -r _; do :; done <&3; kill -KILL $program 2>/dev/null ) &
watch=$!
exec 3<&-
wait $program
code=$?
kill $watch 2>/dev/null
exit $code
`;

/** Runs a program and shows that it lives; its words are shown when it fails. */
function step(title, program, args) {
  const began = Date.now();
  const seconds = () => `${Math.round((Date.now() - began) / 1000)} s`;
  console.error(`${title} ...`);
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', KEEPER, 'keeper', program, ...args], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const beat = setInterval(() => console.error(`  still at it, ${seconds()}`), 10_000);
    let words = '';
    const listen = (chunk) => {
      words = (words + chunk).slice(-20_000);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    const end = (problem) => {
      clearInterval(beat);
      if (problem) return reject(new Plain(`${words.trimEnd()}\n${title}: ${problem}`));
      console.error(`  done in ${seconds()}`);
      resolve();
    };
    child.on('error', (error) => end(error.message));
    child.on('close', (code) => {
      if (code === 127) return end(`${program} is not on the PATH: install npm, which comes with Node.`);
      end(code === 0 ? undefined : `failed, see above (${path.basename(program)} ended with ${code}).`);
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  prepare().catch((error) => {
    console.error(error.plain ? error.message : error);
    process.exit(1);
  });
