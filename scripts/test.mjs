// `npm test [-- jest arguments]`: the same preparation as `npm start`, then the whole suite on real stores, which
// tests/support/servers.ts starts once for the run. Ends with one plain line: N passed, N failed.
import './check-node.mjs';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { prepare, root } from './prepare.mjs';

const EXIT_PATIENCE_MS = 30_000;

try {
  await prepare();
} catch (error) {
  console.error(error?.plain ? error.message : error);
  process.exit(1);
}
const folder = mkdtempSync(path.join(os.tmpdir(), 'switchboard-jest-'));
const facts = path.join(folder, 'result.json');
const jest = spawn(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    path.join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
    '--json',
    `--outputFile=${facts}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, NODE_ENV: 'test' } },
);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => jest.kill(signal));

// A run that is over must end: what keeps it alive is a leak, and a leak is a failure.
let leaked = false;
let overSince = 0;
const watch = setInterval(() => {
  if (!existsSync(facts)) return;
  overSince ||= Date.now();
  if (Date.now() - overSince < EXIT_PATIENCE_MS) return;
  leaked = true;
  console.error(
    'The tests are over, and something they opened keeps the run alive (jest --detectOpenHandles names it).',
  );
  jest.kill('SIGKILL');
}, 500);

jest.on('close', (code) => {
  clearInterval(watch);
  const result = existsSync(facts) ? JSON.parse(readFileSync(facts, 'utf8')) : undefined;
  rmSync(folder, { recursive: true, force: true });
  const passed = result?.numPassedTests ?? 0;
  const broken = result ? result.numFailedTests + result.numRuntimeErrorTestSuites + (leaked ? 1 : 0) : 1;
  const failed = code === 0 ? broken : Math.max(broken, 1);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
});
