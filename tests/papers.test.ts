// What is written beside the code is true: .env.example, the image, the compose file and the README.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { z } from 'zod';
import { Environment } from '../src/config.ts';

const root = path.resolve(import.meta.dirname, '..');
const text = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const variables = Object.keys(Environment.shape).sort();

describe('.env.example', () => {
  const lines = [...text('.env.example').matchAll(/^# ([A-Z][A-Z0-9_]*)=(.*)$/gm)];
  const told = new Map(lines.map(([, name = '', value = '']) => [name, value]));

  test('lists every variable that is read, and no other', () => {
    expect(lines.length).toBe(told.size);
    expect([...told.keys()].sort()).toEqual(variables);
  });

  test.each(Object.entries(Environment.shape))('%s has the default that is used', (name, schema) => {
    const read = z.object({ [name]: schema });
    const unset = read.safeParse({});
    const value = told.get(name);
    expect(unset.data?.[name]).toEqual(value ? read.parse({ [name]: value })[name] : undefined);
  });
});

const Check = z.strictObject({
  test: z.tuple([z.literal('CMD')], z.string()),
  interval: z.string(),
  timeout: z.string(),
  retries: z.number(),
  start_period: z.string().optional(),
});
const Service = z.strictObject({
  image: z.string(),
  build: z.string().optional(),
  restart: z.string(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  env_file: z.array(z.strictObject({ path: z.string(), required: z.boolean() })).optional(),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') })).optional(),
  ports: z.array(z.string()).optional(),
  volumes: z.array(z.string().regex(/^[a-z]+:\//)),
  healthcheck: z.union([Check, z.strictObject({ disable: z.literal(true) })]).optional(),
  stop_grace_period: z.string().optional(),
  read_only: z.boolean().optional(),
  tmpfs: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  cap_drop: z.array(z.string()).optional(),
});
const Compose = z.looseObject({
  name: z.string(),
  services: z.record(z.string(), Service),
  volumes: z.record(z.string(), z.null()),
});

describe('docker-compose.yml', () => {
  const { services, volumes } = Compose.parse(parse(text('docker-compose.yml'), { merge: true }));
  const ours = Object.values(services).filter((service) => service.image === 'switchboard');

  test('runs every role once, each in one of its services', () => {
    const roles = ours.flatMap((service) => service.environment?.ROLES?.split(',') ?? []);
    expect(roles.sort()).toEqual(['api', 'discord', 'email', 'slack', 'worker']);
  });

  test('names only what exists: variables, services, volumes', () => {
    for (const service of Object.values(services)) {
      for (const name of Object.keys(service.environment ?? {})) expect(variables).toContain(name);
      for (const name of Object.keys(service.depends_on ?? {}))
        expect(services[name]?.healthcheck).toBeDefined();
      for (const mount of service.volumes) expect(Object.keys(volumes)).toContain(mount.split(':')[0]);
    }
  });

  test('gives MongoDB a replica set and Redis a file and no eviction', () => {
    expect(services.mongo?.command).toEqual(expect.arrayContaining(['--replSet', 'rs0']));
    expect(JSON.stringify(services.mongo?.healthcheck)).toMatch(/rs\.initiate.*isWritablePrimary/);
    expect(services.redis?.command?.join(' ')).toMatch(/--appendonly yes .*--maxmemory-policy noeviction/);
    for (const one of ours)
      expect(one.environment).toMatchObject({ MONGODB_URI: expect.stringContaining('replicaSet=rs0') });
  });

  test('has no secret of its own', () => {
    for (const one of ours)
      for (const name of ['SECRET_KEY', 'ADMIN_PASSWORD'])
        expect(one.environment?.[name]).toMatch(/^\$\{\w+:\?/);
  });
});

describe('Dockerfile', () => {
  const [build = '', run = ''] = text('Dockerfile')
    .split(/^(?=FROM )/m)
    .slice(1);

  test('copies what is there, and .dockerignore lets it through', () => {
    const ignored = text('.dockerignore').split('\n');
    const copied = [...build.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    );
    expect(copied.length).toBeGreaterThan(5);
    for (const name of copied) {
      expect(existsSync(path.join(root, name))).toBe(true);
      expect(ignored).toContain(`!${name.replace(/^\.\//, '')}`);
    }
  });

  test('runs without root, under an init, with a health check on /ready, and without the compiler', () => {
    expect(build).toMatch(/npm prune --omit=dev/);
    expect(run).toMatch(/^USER node$/m);
    expect(run).toMatch(/^ENTRYPOINT \["\/usr\/bin\/tini", "--"\]$/m);
    expect(run).toMatch(/^HEALTHCHECK [\s\S]*\/ready/m);
    expect(run).not.toMatch(/npm ci|COPY (?!--from)/);
    const [, script = ''] = /^CMD \["node", "dist\/(.*)\.js"\]$/m.exec(run) ?? [];
    expect(existsSync(path.join(root, `${script}.ts`))).toBe(true);
  });

  test('sets only variables that are read', () => {
    const [, block = ''] = /^ENV ([\s\S]*?)\nWORKDIR/m.exec(run) ?? [];
    const names = [...block.matchAll(/([A-Z_]+)=/g)]
      .map(([, name]) => name)
      .filter((name) => name !== 'NODE_ENV');
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) expect(variables).toContain(name);
  });
});

describe('README', () => {
  const readme = existsSync(path.join(root, 'README.md')) ? text('README.md') : '';

  test('is short', () => {
    expect(readme.split('\n').length).toBeGreaterThan(50);
    expect(readme.split('\n').length).toBeLessThanOrEqual(200);
  });

  test('names commands, files and variables that exist', () => {
    const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };
    const commands = [...readme.matchAll(/npm (?:run )?([a-z][a-z:-]*)/g)].map(([, name = '']) => name);
    for (const name of commands.filter((name) => !['ci', 'install', 'i'].includes(name)))
      expect(Object.keys(scripts)).toContain(name);
    const files = [...readme.matchAll(/`((?:src|adapters|tests|scripts|docs)\/[\w./-]*)`/g)].map(
      ([, name = '']) => name,
    );
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
    const names = [...readme.matchAll(/`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`/g)].map(
      ([, name = '']) => name,
    );
    expect(names.filter((name) => !variables.includes(name) && !name.startsWith('TEST_'))).toEqual([]);
  });
});
