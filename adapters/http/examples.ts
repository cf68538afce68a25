// What the document shows as examples: the same believable company everywhere, field by field. What a schema gives itself
// (`examples`, `example`) goes before.
type Json = Record<string, unknown>;
type Schemas = Record<string, Json>;

const AT = '2026-01-31T09:00:00.000Z';
const LATER = '2026-02-01T09:00:00.000Z';
const id = (nth: number) => `65b9f2c4${String(nth).padStart(16, '0')}`;

/** By the name of the field; a word of the tag or schema before it where one name means several things. */
const FIELDS: Record<string, unknown> = {
  ...{ title: 'The invoice of January shows the wrong amount', subject: 'Invoice of January' },
  description: 'Hello,\n\nwe were charged twice for January. Could you have a look?\n\nNora',
  content: 'Thanks for the details, I am looking into it.',
  text: 'Thanks for the details, I am looking into it.',
  html: '<p>Thanks for the details, I am looking into it.</p>',
  body: 'Hello {{ ticket.requester.name }}, we are on it.',
  notes: 'Same cause as last week, see the runbook.',
  resolution_notes: 'The second charge was refunded.',
  comment: 'Quick and friendly, thank you!',
  ...{ key: 'TKT-000042', ticket_key: 'TKT-000042', number: 42, version: 3, seq: 3, position: 1 },
  ...{
    'Desk.key': 'OPS',
    'Desks.key': 'OPS',
    'ApiKey.key': 'sb_2f6c1e_c2VjcmV0',
    'API keys.key': 'sb_2f6c1e_c2VjcmV0',
  },
  ...{
    desk: 'TKT',
    status: 'open',
    status_kind: 'open',
    initial: 'new',
    priority: 'high',
    category: 'billing',
  },
  ...{
    tags: ['invoice', 'vip'],
    environment: 'production',
    affected_service: 'billing',
    impact_level: 'medium',
  },
  ...{ external_ref: 'CRM-7781', channel: 'api', via: 'api', former_keys: [], language: 'en' },
  ...{ name: 'Nora Lind', full_name: 'Nora Lind', by: 'Mei Tanaka', author: 'Nora Lind', who: 'Mei Tanaka' },
  ...{ 'Team.name': 'Billing', 'Teams.name': 'Billing', team_name: 'Billing', user_name: 'Mei Tanaka' },
  ...{
    'Company.name': 'Acme',
    'Companies.name': 'Acme',
    'Desk.name': 'Operations',
    'Desks.name': 'Operations',
  },
  ...{
    'Category.name': 'Billing',
    'Categories.name': 'Billing',
    'Macro.name': 'We are on it',
    'Macros.name': 'We are on it',
  },
  ...{ 'SLA.name': 'Gold customers', 'API keys.name': 'Nightly report', 'ApiKey.name': 'Nightly report' },
  ...{
    'Attachment.name': 'invoice.pdf',
    filename: 'invoice.pdf',
    type: 'application/pdf',
    content_type: 'application/pdf',
  },
  ...{
    'Problem.type': 'about:blank',
    size: 48_213,
    sha256: 'b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78',
  },
  ...{
    'Team.description': 'Invoices, refunds, payment methods',
    'Teams.description': 'Invoices, refunds, payment methods',
  },
  ...{ 'Desk.description': 'Servers and deployments', 'Desks.description': 'Servers and deployments' },
  ...{ 'SLA.description': 'For those who pay for more', 'Attachment.description': 'The invoice in question' },
  ...{
    email: 'nora.lind@example.com',
    emails: ['nora.lind@example.com'],
    username: 'mei.tanaka',
    address: '1 Main Street, Springfield',
  },
  ...{
    phone_number: '+49 30 123456',
    domains: ['example.com'],
    time_zone: 'Europe/Berlin',
    skills: ['billing'],
    role: 'agent',
  },
  ...{
    password: 'correct horse battery',
    current_password: 'correct horse battery',
    requester: 'nora.lind@example.com',
  },
  ...{
    to: 'in_progress',
    into: 'TKT-000041',
    preset: 'support',
    surface: 'slack',
    workspace: 'T0123ABCD',
    provider: 'slack',
  },
  ...{
    external_id: 'U0123ABCD',
    external: 'U0123ABCD',
    code: '482913',
    estimated_hours: 2,
    actual_hours: 1.5,
    rating: 5,
  },
  ...{
    estimated_time: 2,
    score: 0.82,
    total: 1,
    page: 1,
    page_size: 25,
    next_cursor: null,
    cursor: null,
    replies: 2,
  },
  ...{
    expires_in: 900,
    expires_in_days: 90,
    token_type: 'Bearer',
    access_token: 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln',
    refresh_token: 'c2Vzc2lvbi5zZWNyZXQ',
  },
  ...{
    detail: 'There is no such ticket.',
    error_code: 'E_TICKET_NOT_FOUND',
    message: 'must be one of open, resolved, closed',
  },
  ...{
    url: `/api/v1/attachments/${id(9)}`,
    upload_url: `https://desk.example.com/api/v1/uploads/${id(9)}?expires=1769850900&signature=c2ln`,
  },
  ...{
    sentence: 'It is running and due at 12:00.',
    because: 'working_hours',
    target: 'first_response',
    state: 'running',
  },
  ...{
    from: '09:00',
    date: '2026-12-25',
    hours: { mon: [{ from: '09:00', to: '17:00' }], tue: [{ from: '09:00', to: '17:00' }] },
  },
  ...{
    first_response_minutes: 60,
    next_response_minutes: 120,
    resolution_minutes: 480,
    after_minutes: 30,
    custom_fields: { contract: 'C-17' },
  },
  ...{
    fields: [],
    moves: { new: ['open', 'closed'], open: ['closed'] },
    facts: {},
    label: 'Open',
    field: 'status',
    old_value: 'new',
    new_value: 'open',
  },
  ...{
    action: 'status_change',
    request_id: 'b1a2c3d4-0001-4000-8000-000000000042',
    path: 'status',
    kid: 'a1b2c3',
    n: 'sXchDaQ',
    e: 'AQAB',
    kty: 'RSA',
    alg: 'RS256',
    use: 'sig',
  },
  ...{
    by_status: { open: 12, resolved: 30 },
    by_category: { billing: 17 },
    by_priority: { high: 4, medium: 38 },
  },
  ...{
    watchers: [id(31)],
    mentions: [id(31)],
    attachments: [],
    pause_while: ['pending'],
    fired: ['warned 75%'],
  },
  ...{
    default_priority: 'medium',
    deed: 'ticket.create',
    permissions: ['ticket.create'],
    says: 'file a ticket',
  },
  ...{
    kind: 'user',
    'Tickets.kind': 'related',
    company: id(1),
    ticket: id(42),
    calendar: id(12),
    policy: id(13),
  },
  ...{
    ticket_title: 'The invoice of January shows the wrong amount',
    handover_time: '09:00',
    starts_on: '2026-01-05',
  },
  ...{
    prefix: 'sb_2f6c1e',
    service: 'switchboard',
    docs: '/docs',
    openapi: '/openapi.json',
    escapes: ['C0123ABCD'],
  },
  ...{
    'Operations.version': '1.0.0',
    request: 'b1a2c3d4-0001-4000-8000-000000000042',
    why: 'Knows billing, has least to do.',
  },
  ...{
    'Auth.action': 'user.role_changed',
    'Tickets.action': 'resolve',
    value: 'high',
    op: 'is',
    event: 'created',
  },
  ...{ did: ['set the priority to high'], problems: [], warnings: [], by: 'Mei Tanaka' },
  ...{
    states: [
      { name: 'new', label: 'New', kind: 'new' },
      { name: 'closed', label: 'Closed', kind: 'closed' },
    ],
  },
};

/** An example of what this schema describes. `place`: the tag or the schema that it stands in. */
export function exampleOf(schema: Json, schemas: Schemas, place = '', name = '', depth = 0): unknown {
  const given = schema.examples;
  if (Array.isArray(given) && given.length) return given[0];
  if ('example' in schema) return schema.example;
  if ('const' in schema) return schema.const;
  if (typeof schema.$ref === 'string') {
    const called = schema.$ref.split('/').at(-1) ?? '';
    return depth > 6 ? {} : exampleOf(schemas[called] ?? {}, schemas, called, name, depth + 1);
  }
  const known = byName(name, place, schema);
  if (known !== undefined) return known;
  if ('default' in schema) return schema.default;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const options = (schema.anyOf ?? schema.oneOf) as Json[] | undefined;
  if (options?.[0]) return exampleOf(options[0], schemas, place, name, depth);
  switch (schema.type) {
    case 'object': {
      const inner = (schema.additionalProperties ?? {}) as Json;
      const keys = (schema.required ?? []) as string[];
      const named = (schema.properties ?? {}) as Schemas;
      const rest = keys.filter((key) => !(key in named)).map((key): [string, Json] => [key, inner]);
      const properties = [...Object.entries(named), ...rest];
      return Object.fromEntries(
        properties.map(([key, inner]) => [key, exampleOf(inner, schemas, place, key, depth + 1)]),
      );
    }
    case 'array':
      return depth > 5 || !schema.items
        ? []
        : Array.from({ length: Math.max(1, Number(schema.minItems ?? 1)) }, () =>
            exampleOf(schema.items as Json, schemas, place, singular(name), depth + 1),
          );
    case 'integer':
    case 'number':
      return Math.max(1, Number(schema.minimum ?? 1));
    case 'boolean':
      return false;
    case 'string':
      return text(schema);
    default:
      return null;
  }
}

const isJson = (value: unknown): boolean => typeof value === 'object' && value !== null;
const singular = (name: string): string => name.replace(/ies$/, 'y').replace(/s$/, '');

function byName(name: string, place: string, schema: Json): unknown {
  if (!name) return undefined;
  const own = `${place}.${name}`;
  const known = Object.hasOwn(FIELDS, own)
    ? FIELDS[own]
    : Object.hasOwn(FIELDS, name)
      ? FIELDS[name]
      : undefined;
  if (known !== undefined && fits(known, schema)) return known;
  if (schema.format === 'date-time' && name === 'to') return LATER;
  if (allows(schema, 'string')) {
    if (/(^|_)id$/.test(name)) return id(place.length + name.length);
    if (/_at$|^(until|due_date|at|since)$/.test(name) && !schema.enum) return AT;
  }
  return undefined;
}

function allows(schema: Json, type: string): boolean {
  const options = (schema.anyOf ?? schema.oneOf) as Json[] | undefined;
  return options ? options.some((one) => allows(one, type)) : [schema.type].flat().includes(type);
}

/** A name alone says little: the example must also be of the kind that the schema wants. */
function fits(value: unknown, schema: Json): boolean {
  const options = (schema.anyOf ?? schema.oneOf) as Json[] | undefined;
  if (options) return options.some((one) => fits(value, one));
  if (Array.isArray(schema.enum)) return schema.enum.includes(value);
  const { pattern, maxLength, type } = schema;
  if (value === null) return [type].flat().includes('null');
  if (Array.isArray(value)) {
    const items = schema.items as Json | undefined;
    return type === 'array' && (!items || value.every((one) => isJson(one) || fits(one, items)));
  }
  if (typeof value === 'object') return type === 'object' && isJson(schema.additionalProperties);
  if (typeof value === 'number') return [type].flat().some((one) => one === 'number' || one === 'integer');
  if (typeof value !== 'string' || ![type].flat().includes('string')) return false;
  if (schema.format === 'date-time' && !/T.*Z$/.test(value)) return false;
  if (schema.format === 'date' && !/^\d{4}-\d\d-\d\d$/.test(value)) return false;
  if ((schema.format === 'email') !== value.includes('@') && schema.format !== undefined) return false;
  if (typeof pattern === 'string' && !new RegExp(pattern, 'u').test(value)) return false;
  return maxLength === undefined || value.length <= Number(maxLength);
}

function text(schema: Json): string {
  switch (schema.format) {
    case 'date-time':
      return AT;
    case 'date':
      return '2026-01-31';
    case 'email':
      return 'nora.lind@example.com';
    case 'uri':
      return 'https://example.com/hook';
    default:
      return 'text'.padEnd(Number(schema.minLength ?? 0), '.').slice(0, Number(schema.maxLength ?? 1_000));
  }
}
