// `npm run db -- serve | shell | dump | restore`: the embedded database by hand, built first when that is needed.
import './check-node.mjs';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { prepare, root } from './prepare.mjs';

try {
  await prepare();
} catch (error) {
  console.error(error?.plain ? error.message : error);
  process.exit(1);
}
const program = path.join(root, 'dist', 'src', 'embedded', 'cli.js');
const child = spawn(process.execPath, [program, ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exitCode = signal ? 1 : (code ?? 1);
});
