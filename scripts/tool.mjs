// `npm run doctor`, `npm run replay -- ...`: programs for whoever looks after an installation, built first when needed.
import './check-node.mjs';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { prepare, root } from './prepare.mjs';

const [name, ...rest] = process.argv.slice(2);
try {
  await prepare();
} catch (error) {
  console.error(error?.plain ? error.message : error);
  process.exit(1);
}
const program = path.join(root, 'dist', 'scripts', `${name}.js`);
const child = spawn(process.execPath, [program, ...rest], { stdio: 'inherit' });
child.on('exit', (code, signal) => {
  process.exitCode = signal ? 1 : (code ?? 1);
});
