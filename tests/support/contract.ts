// The OpenAPI document as a judge: of every answer, whether it is one that the document allows.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { World } from './world.ts';

type Json = Record<string, unknown>;
export interface Operation {
  method: string;
  path: string;
  parameters: { name: string; in: string; required: boolean; schema: Json }[];
  body: Json | undefined;
  example: unknown;
  responses: Record<string, { content?: Record<string, { schema: Json }>; $ref?: string }>;
}

export interface Contract {
  operations: Operation[];
  /** Sentences about what is wrong with an answer; none when the document allows it. */
  judge(operation: Operation, status: number, type: string, body: unknown): string[];
}

export async function readContract(world: World): Promise<Contract> {
  const document = (await world.call('GET', '/openapi.json')).body as Json;
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  (addFormats as unknown as (to: Ajv2020) => void)(ajv);
  ajv.addSchema({ $id: 'openapi', ...document });
  const operations: Operation[] = [];
  for (const [path, methods] of Object.entries(document.paths as Record<string, Record<string, Json>>))
    for (const [method, one] of Object.entries(methods)) {
      const content = (
        one.requestBody as { content?: Record<string, { schema: Json; example?: unknown }> } | undefined
      )?.content;
      operations.push({
        method: method.toUpperCase(),
        path,
        parameters: (one.parameters ?? []) as Operation['parameters'],
        body: content?.['application/json']?.schema,
        example: content?.['application/json']?.example,
        responses: one.responses as Operation['responses'],
      });
    }
  const judges = new Map<string, ValidateFunction>();
  const pointer = (text: string) => text.replaceAll('~', '~0').replaceAll('/', '~1');

  return {
    operations,
    judge({ method, path, responses }, status, type, body) {
      const where = `${method} ${path} ${status}`;
      const allowed = responses[String(status)];
      if (!allowed) return [`${where}: this status is not in the document`];
      const media = type.split(';')[0] ?? '';
      const at = allowed.$ref
        ? `openapi${allowed.$ref}/content/${pointer('application/problem+json')}/schema`
        : `openapi#/paths/${pointer(path)}/${method.toLowerCase()}/responses/${status}/content/${pointer(media)}/schema`;
      if (!allowed.$ref && !allowed.content) return body === '' ? [] : [`${where}: an empty answer was due`];
      if (!allowed.$ref && !allowed.content?.[media]) return [`${where}: ${media} is not in the document`];
      if (!/json$/.test(media)) return [];
      let judge = judges.get(at);
      if (!judge) {
        judge = ajv.compile({ $ref: encodeURI(at) });
        judges.set(at, judge);
      }
      if (judge(body)) return [];
      return (judge.errors ?? [])
        .slice(0, 3)
        .map((error) => `${where}: ${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
    },
  };
}
