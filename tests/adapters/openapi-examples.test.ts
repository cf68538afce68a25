// The examples of the document are true: every body is one that the API takes, every answer one that it gives, and every
// refusal one that really comes.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Operations } from '../../adapters/http/operations.ts';
import { errorCode } from '../../adapters/http/problem.ts';
import { allRoutes } from '../../adapters/http/routes.ts';
import { fromWire } from '../../adapters/http/wire.ts';
import { type Contract, readContract } from '../support/contract.ts';
import { openWorld, type World } from '../support/world.ts';

type Media = Record<
  string,
  { example?: unknown; examples?: Record<string, { value: Record<string, unknown> }> }
>;
let world: World;
let contract: Contract;
let document: { components: { responses: Record<string, { content: Media }> } };

beforeAll(async () => {
  world = await openWorld();
  contract = await readContract(world);
  document = (await world.call('GET', '/openapi.json')).body;
});
afterAll(() => world.close());

test('every body that is shown is one that is taken', () => {
  const complaints: string[] = [];
  let bodies = 0;
  for (const one of allRoutes({ config: world.config } as Operations)) {
    const shown = contract.operations.find(
      ({ method, path: at }) => method === one.method.toUpperCase() && at === one.path,
    );
    if (!one.body || shown?.example === undefined) continue;
    bodies++;
    const read = one.body.safeParse(fromWire(shown.example));
    if (!read.success)
      complaints.push(
        `${one.method} ${one.path}: ${read.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}`,
      );
  }
  expect(complaints).toEqual([]);
  expect(bodies).toBeGreaterThan(30);
});

test('every answer that is shown is one that the document allows, and says more than its shape', () => {
  const complaints: string[] = [];
  for (const operation of contract.operations)
    for (const [status, response] of Object.entries(operation.responses)) {
      const json = (response.content as Media | undefined)?.['application/json'];
      if (!json || json.example === undefined) continue;
      complaints.push(...contract.judge(operation, Number(status), 'application/json', json.example));
      if (/[:[,]"text\.*"[,}\]]/.test(JSON.stringify(json.example)))
        complaints.push(
          `${operation.method} ${operation.path} shows filler: ${/"\w+":\[?"text\.*"/.exec(JSON.stringify(json.example))?.[0]}`,
        );
    }
  expect(complaints).toEqual([]);
});

/** Every dotted reason that stands anywhere in the code. */
function reasons(): Set<string> {
  const found = new Set<string>(['internal']);
  for (const root of ['src', 'adapters'])
    for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts') || file.endsWith('refusals.ts')) continue;
      const text = readFileSync(path.join(root, file), 'utf8');
      for (const [, reason] of text.matchAll(/'([a-z_]+(?:\.[a-z_]+)+|access|validation)'/g))
        found.add(reason ?? '');
      for (const [, thing] of text.matchAll(/unknown\('([a-z_]+)'/g)) found.add(`${thing}.not_found`);
      for (const [, part] of text.matchAll(/refused\('([a-z_]+)'/g)) found.add(`attachment.${part}`);
    }
  return new Set([...found].map(errorCode));
}

test('every refusal that is shown is one that comes', async () => {
  const known = reasons();
  const shown = Object.entries(document.components.responses).flatMap(([name, { content }]) =>
    Object.values(content['application/problem+json']?.examples ?? {}).map(({ value }) => ({ name, value })),
  );
  expect(shown.length).toBeGreaterThan(15);
  for (const { name, value } of shown) {
    expect([name, name]).toEqual([name, `Problem${value.status}`]);
    expect([value.error_code, known.has(String(value.error_code))]).toEqual([value.error_code, true]);
  }
  const asked = await world.call('GET', '/api/v1/tickets/TKT-999999', { as: await world.admin() });
  const { request_id: _, ...same } =
    shown.find(({ value }) => value.error_code === 'E_TICKET_NOT_FOUND')?.value ?? {};
  expect(asked.body).toMatchObject(same);
});
