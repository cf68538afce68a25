// The house as it is drawn: every wall is broken here once on purpose and must cry out, and must be quiet otherwise.
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';

const root = path.resolve(import.meta.dirname, '..');
const walls: { forbidden: { name: string }[] } = createRequire(import.meta.url)('../walls.cjs');

interface Cruise {
  modules: { source: string }[];
  summary: { violations: { from: string; rule: { name: string } }[]; totalCruised: number };
}

function cruise(folder: string): Cruise {
  const program = path.join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
  const args = [program, '--config', 'walls.cjs', '--output-type', 'json', 'src', 'adapters'];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', maxBuffer: 1e9 });
  return JSON.parse(stdout);
}

const copies: string[] = [];
/** A copy of the house with these lines added to its files. */
function houseWith(lines: Record<string, string>): string {
  const copy = mkdtempSync(path.join(os.tmpdir(), 'switchboard-house-'));
  copies.push(copy);
  for (const part of ['src', 'adapters', 'walls.cjs', 'package.json', 'tsconfig.json'])
    cpSync(path.join(root, part), path.join(copy, part), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
  for (const [file, line] of Object.entries(lines)) {
    mkdirSync(path.dirname(path.join(copy, file)), { recursive: true });
    appendFileSync(path.join(copy, file), `\n${line}\n`);
  }
  return copy;
}
afterAll(() => {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
});

/** One sin for each wall: the file that commits it, and the line. */
const SINS: Record<string, [file: string, line: string]> = {
  'core-knows-no-adapter': ['src/sinner/a.ts', "import '../../adapters/sinner/index.ts';"],
  'adapters-are-strangers': ['adapters/stranger/a.ts', "import '../sinner/index.ts';"],
  'one-door-per-adapter': ['src/main.ts', "import '../adapters/sinner/inside.ts';"],
  'model-is-private': ['src/sinner/b.ts', "import '../tickets/model.ts';"],
  'rules-are-pure': ['src/tickets/workflow.ts', "import '../store.ts';"],
  'only-workers-queue': ['src/sinner/c.ts', "import '../workers/sinner.ts';"],
  'engine-knows-no-product': ['src/embedded/sinner.ts', "import '../errors.ts';"],
  'product-knows-no-engine': ['src/sinner/d.ts', "import '../embedded/folder.ts';"],
  'slack-lives-in-slack': ['src/sinner/e.ts', "import '@slack/web-api';"],
  'discord-lives-in-discord': ['adapters/sinner/e.ts', "import 'discord.js';"],
  'mail-lives-in-email': ['src/sinner/g.ts', "import 'nodemailer';"],
  'express-lives-at-the-edge': ['src/sinner/h.ts', "import 'express';"],
  'queues-live-in-workers': ['src/sinner/i.ts', "import 'ioredis';"],
  'mongoose-lives-in-models': ['src/sinner/j.ts', "import 'mongoose';"],
  'no-cycles': ['src/sinner/about.ts', "import './round.ts';"],
  'nothing-needs-tests': ['src/sinner/k.ts', "import '../../tests/sinner.ts';"],
  'no-unresolvable': ['src/sinner/l.ts', "import './nowhere.ts';"],
};
const PROPS = {
  'adapters/sinner/index.ts': 'export {};',
  'adapters/sinner/inside.ts': 'export {};',
  'src/workers/sinner.ts': 'export {};',
  'src/sinner/round.ts': "import './about.ts';",
  'tests/sinner.ts': 'export {};',
};

describe('the walls', () => {
  test('stand in the house as it is, and the checker has seen every file', () => {
    const { modules, summary } = cruise(root);
    expect(summary.violations).toEqual([]);
    const seen = new Set(modules.map((module) => module.source));
    const files = sources();
    expect(files.length).toBeGreaterThan(20);
    expect(files).toEqual(expect.arrayContaining(['src/main.ts', 'src/config.ts', 'src/tickets/model.ts']));
    expect(files.filter((file) => file.endsWith('.ts') && !seen.has(file))).toEqual([]);
  });

  test('have each a sin in this file', () => {
    expect(Object.keys(SINS).sort()).toEqual(walls.forbidden.map((wall) => wall.name).sort());
  });

  const broken = new Map<string, string[]>();
  test('are seen to break', () => {
    const { violations } = cruise(
      houseWith({ ...PROPS, ...Object.fromEntries(Object.values(SINS)) }),
    ).summary;
    for (const { rule, from } of violations) broken.set(rule.name, [...(broken.get(rule.name) ?? []), from]);
    expect(violations.length).toBeGreaterThan(0);
  });
  test.each(Object.entries(SINS))('%s cries out', (law, [file]) => {
    expect(broken.get(law)).toContain(file);
  });
});

/** What the linter forbids by law: the rule, and a file that breaks it. */
const LINTED: [rule: string, text: string][] = [
  ['noExplicitAny', 'export const a: any = 1;'],
  ['noEnum', 'export enum A { One }'],
  ['noDefaultExport', 'export default 1;'],
  ['noProcessEnv', 'export const a = process.env.A;'],
  ['noConsole', "console.log('a');"],
  ['noNonNullAssertion', 'export const a = (b: string | undefined): number => b!.length;'],
  ['noBarrelFile', "export { a } from './b.ts';"],
  ['noExcessiveLinesPerFile', `export const a = [\n${'  1,\n'.repeat(400)}];`],
];

describe('the linter', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'switchboard-lint-'));
  copies.push(folder);
  const found = new Set<string>();
  test('reads sins', () => {
    cpSync(path.join(root, 'biome.json'), path.join(folder, 'biome.json'));
    mkdirSync(path.join(folder, 'src'));
    for (const [rule, text] of LINTED) writeFileSync(path.join(folder, 'src', `${rule}.ts`), `${text}\n`);
    const biome = path.join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
    const args = [biome, 'lint', '--reporter=json', '--max-diagnostics=none', 'src'];
    const { stdout, status } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    expect(status).not.toBe(0);
    for (const one of JSON.parse(stdout).diagnostics)
      found.add(
        `${path.basename(one.location.path?.file ?? one.location.path, '.ts')} ${one.category.split('/').at(-1)}`,
      );
  });
  test.each(LINTED)('%s cries out', (rule) => {
    expect([...found]).toContain(`${rule} ${rule}`);
  });
});

test('code that nothing uses is told', () => {
  const copy = houseWith({ 'src/embedded/forgotten.ts': 'export const forgotten = 1;' });
  for (const part of ['knip.json', 'scripts', 'tests'])
    cpSync(path.join(root, part), path.join(copy, part), { recursive: true });
  const program = path.join(root, 'node_modules', 'knip', 'bin', 'knip.js');
  const { stdout, status } = spawnSync(process.execPath, [program], { cwd: copy, encoding: 'utf8' });
  expect(status).not.toBe(0);
  expect(stdout).toContain('src/embedded/forgotten.ts');
});

describe('the rooms', () => {
  test('are no larger than 400 lines, and say at the door what they are for', () => {
    const faults = sources().flatMap((file) => faultsOf(file, readFileSync(path.join(root, file), 'utf8')));
    expect(faults).toEqual([]);
  });
  test('of 401 lines, or without a word at the door, are told', () => {
    expect(faultsOf('src/a.ts', `// What it is for.\n${'x\n'.repeat(400)}`)).toEqual(['src/a.ts: 401 lines']);
    expect(faultsOf('src/a.ts', 'export const a = 1;\n')).toEqual(['src/a.ts: no opening comment']);
  });
  test('have names that a support lead would understand', () => {
    expect(sources().filter(isPatternWord)).toEqual([]);
    for (const odd of [
      'src/utils/a.ts',
      'src/tickets/ticket-service.ts',
      'src/helpers.ts',
      'adapters/slack/eventHandler.ts',
    ])
      expect(isPatternWord(odd)).toBe(true);
    expect(isPatternWord('src/tickets/ticket.ts')).toBe(false);
  });
  test('are at least three to a folder', () => {
    expect(thinFolders(sources())).toEqual([]);
    expect(thinFolders(['src/a/one.ts', 'src/a/two.ts', 'src/b/1.ts', 'src/b/2.ts', 'src/b/3.ts'])).toEqual([
      'src/a',
    ]);
  });
});

function sources(): string[] {
  return ['src', 'adapters'].flatMap((top) =>
    readdirSync(path.join(root, top), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.tsx?$/.test(file))
      .map((file) => `${top}/${file}`),
  );
}

function faultsOf(file: string, text: string): string[] {
  const lines = text.trimEnd().split('\n').length;
  return [
    ...(lines > 400 ? [`${file}: ${lines} lines`] : []),
    ...(/^(\/\/|\/\*|#!)/.test(text) ? [] : [`${file}: no opening comment`]),
  ];
}

const isPatternWord = (file: string): boolean =>
  /(^|[/.-]|[a-z](?=[A-Z]))(utils?|helpers?|common|shared|services?|managers?|handlers?|processors?|dtos?|interfaces)([/.-]|$)/i.test(
    file,
  );

/** Folders that hold fewer than three files; what only holds folders is a corridor, not a room. */
function thinFolders(files: string[]): string[] {
  const count = new Map<string, number>();
  for (const file of files) count.set(path.dirname(file), (count.get(path.dirname(file)) ?? 0) + 1);
  return [...count].filter(([, number]) => number < 3).map(([folder]) => folder);
}
