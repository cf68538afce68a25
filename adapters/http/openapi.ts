// The OpenAPI 3.1 document, made from the same table of routes and the same zod schemas that serve the requests.
import { z } from 'zod';
import { DEEDS, ROLES, rank } from '../../src/people/access.ts';
import { exampleOf } from './examples.ts';
import { titleOf } from './problem.ts';
import { problemExamples } from './refusals.ts';
import type { Route } from './route.ts';
import { snakeKey } from './wire.ts';

type Json = Record<string, unknown>;
type Schemas = Record<string, Json>;

const REFUSALS: Record<number, string> = {
  400: 'The request is not valid; `details` says where.',
  401: 'Not signed in, or the token or key is not good (any more).',
  403: 'Not yours to do.',
  404: 'Not there, or not yours to see.',
  409: 'The state forbids it, or a request with this idempotency key is under way.',
  412: 'Somebody was quicker: `If-Match` names an older version.',
  413: 'More than we take.',
  415: 'A kind of content that we do not take.',
  422: 'The idempotency key was used with another request, or the file was refused.',
  429: 'Too many requests; see `Retry-After`.',
  500: 'Our mistake; quote the reference.',
  503: 'A store is away; see `Retry-After`.',
};

const RETRY = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } };
const HEADERS: Record<number, Json> = {
  401: { 'WWW-Authenticate': { description: 'Bearer', schema: { type: 'string' } } },
  429: RETRY,
  503: RETRY,
};

export function openApi(routes: readonly Route[], version: string): Json {
  const schemas: Schemas = { Problem: problemSchema };
  const paths: Record<string, Json> = {};
  for (const one of routes) {
    paths[one.path] ??= {};
    Object.assign(paths[one.path] ?? {}, { [one.method]: operation(one, schemas) });
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Switchboard',
      version,
      description:
        'A ticket desk that lives in chat, mail and webhooks. Times are ISO 8601 UTC, ids are opaque, a ticket is also addressed by its key.',
    },
    tags: [...new Set(routes.map((one) => one.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      responses: Object.fromEntries(
        Object.entries(REFUSALS).map(([status, description]) => [
          `Problem${status}`,
          {
            description,
            ...(status in HEADERS ? { headers: HEADERS[Number(status)] } : {}),
            content: {
              'application/problem+json': {
                schema: { $ref: '#/components/schemas/Problem' },
                examples: problemExamples(Number(status), titleOf(Number(status))),
              },
            },
          },
        ]),
      ),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
    },
  };
}

function operation(one: Route, schemas: Schemas): Json {
  const isOpen = one.deed === 'anyone';
  const status = one.status ?? (one.answer || one.produces ? 200 : 204);
  return {
    operationId: `${one.method}${one.path.replace('/api/v1', '').replaceAll(/[^a-zA-Z0-9]+(.)?/g, (_, c: string | undefined) => (c ?? '').toUpperCase())}`,
    tags: [one.tag],
    summary: one.summary,
    description: [one.description, whoMay(one)].filter(Boolean).join('\n\n'),
    security: isOpen ? [] : [{ bearer: [] }, { apiKey: [] }],
    ...parameters(one, schemas),
    ...(one.body || one.consumes ? { requestBody: requestBody(one, schemas) } : {}),
    responses: {
      [status]: success(one, schemas),
      ...Object.fromEntries(
        refusalsOf(one).map((code) => [code, { $ref: `#/components/responses/Problem${code}` }]),
      ),
    },
  };
}

function whoMay({ deed }: Route): string {
  if (deed === 'anyone') return 'No account is needed.';
  const roles = ROLES.filter((role) => rank(role) >= rank(DEEDS[deed].role));
  return `May be called by: ${roles.join(', ')}. An API key needs the scope \`${DEEDS[deed].scope}\`.`;
}

function refusalsOf(one: Route): number[] {
  const codes = new Set([400, 429, 500, 503, ...(one.refuses ?? [])]);
  if (one.deed !== 'anyone') for (const code of [401, 403]) codes.add(code);
  if (one.params || one.deed !== 'anyone') codes.add(404);
  if (one.method !== 'get') for (const code of [409, 413, 415, 422]) codes.add(code);
  return [...codes].sort();
}

function success(one: Route, schemas: Schemas): Json {
  if (one.produces)
    return {
      description: one.summary,
      content: {
        [one.produces]: { schema: { type: one.produces === 'application/json' ? 'object' : 'string' } },
      },
    };
  if (!one.answer) return { description: 'Done.' };
  const schema = schemaOf(one.answer, 'output', schemas);
  return {
    description: one.summary,
    ...(isOfTicket(one) ? { headers: { ETag: ETAG } } : {}),
    content: { 'application/json': { schema, example: exampleOf(schema, schemas, one.tag) } },
  };
}

const ETAG = { description: 'The version of the ticket, for `If-Match`.', schema: { type: 'string' } };
const isOfTicket = ({ method, path, refuses }: Route): boolean =>
  path === '/api/v1/tickets/{id}' ||
  (method === 'post' && path === '/api/v1/tickets') ||
  refuses?.includes(412) === true;

function requestBody(one: Route, schemas: Schemas): Json {
  const schema = one.body ? schemaOf(one.body, 'input', schemas) : { type: 'object' };
  const json = { schema, example: exampleOf(schema, schemas, one.tag) };
  const form = one.form ? { 'multipart/form-data': { schema: formSchema(one.form.files, schema) } } : {};
  return {
    required: one.consumes ? true : one.body ? !one.body.safeParse({}).success : true,
    content: one.form
      ? { ...(one.consumes ? {} : { 'application/json': json }), ...form }
      : one.consumes
        ? { [one.consumes]: { schema: { type: 'string' } } }
        : { 'application/json': json },
  };
}

/** The same fields, and the files. */
function formSchema(files: string, schema: Json): Json {
  const { properties = {}, ...rest } = schema as { properties?: Json };
  return { ...rest, properties: { ...properties, [files]: { type: 'string', format: 'binary' } } };
}

function parameters(one: Route, schemas: Schemas): { parameters?: Json[] } {
  const all = [...listed(one.params, 'path', schemas), ...listed(one.query, 'query', schemas)];
  if (one.method === 'post' && one.deed !== 'anyone' && !one.noKey)
    all.push({
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      schema: { type: 'string', maxLength: 255 },
      description: 'The same key and body answer the first response again.',
    });
  if (one.refuses?.includes(412))
    all.push({
      name: 'If-Match',
      in: 'header',
      required: false,
      schema: { type: 'string' },
      description: 'The `ETag` of the ticket as you read it; 412 when somebody was quicker.',
    });
  return all.length ? { parameters: all } : {};
}

function listed(shape: z.ZodType | undefined, place: 'path' | 'query', schemas: Schemas): Json[] {
  if (!shape) return [];
  const schema = schemaOf(shape, 'input', schemas);
  const required = new Set((schema.required as string[] | undefined) ?? []);
  return Object.entries((schema.properties ?? {}) as Record<string, Json>).map(([name, inner]) => ({
    name,
    in: place,
    required: place === 'path' || required.has(name),
    schema: inner,
    ...(typeof inner.description === 'string' ? { description: inner.description } : {}),
  }));
}

function schemaOf(shape: z.ZodType, io: 'input' | 'output', schemas: Schemas): Json {
  const made = z.toJSONSchema(shape, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'date')
        Object.assign(jsonSchema, { type: 'string', format: 'date-time' });
    },
  }) as Json;
  const { $schema: _, $defs, ...schema } = made;
  for (const [name, inner] of Object.entries(($defs ?? {}) as Schemas)) schemas[name] ??= onWire(inner);
  return onWire(schema);
}

/** Names as they stand on the wire, references where the document keeps them. */
function onWire(schema: Json): Json {
  const out: Json = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties')
      out[key] = Object.fromEntries(
        Object.entries(value as Schemas).map(([name, inner]) => [snakeKey(name), onWire(inner)]),
      );
    else if (key === 'required') out[key] = (value as string[]).map(snakeKey);
    else if (key === '$ref') out[key] = String(value).replace('#/$defs/', '#/components/schemas/');
    else if (key === 'id') continue;
    else if (Array.isArray(value)) out[key] = value.map((one) => (isJson(one) ? onWire(one) : one));
    else if (isJson(value) && key !== 'default' && key !== 'example') out[key] = onWire(value);
    else out[key] = value;
  }
  return out;
}
const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const problemSchema: Json = {
  type: 'object',
  description: 'RFC 9457 problem details.',
  required: ['type', 'title', 'status', 'detail', 'error_code', 'details', 'request_id'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    error_code: { type: 'string', examples: ['E_TICKET_NOT_FOUND'] },
    details: {
      type: 'array',
      items: {
        type: 'object',
        required: ['message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
    request_id: { type: 'string' },
  },
};
