// Whatever is wrong with a request is told as a sentence that a person can act on, at the place where it is wrong, in
// the names of the contract.
import { describe, expect, test } from '@jest/globals';
import { ZodError, z } from 'zod';
import type { Operations } from '../../adapters/http/operations.ts';
import { fromZod } from '../../adapters/http/problem.ts';
import { readBy } from '../../adapters/http/reading.ts';
import { allRoutes } from '../../adapters/http/routes.ts';
import { fromWire } from '../../adapters/http/wire.ts';

const routes = allRoutes({ config: {} } as Operations);

function complaintsAbout(schema: z.ZodType, given: unknown): [path: string | undefined, message: string][] {
  try {
    readBy(schema, fromWire(given));
    return [];
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    return fromZod(error).details.map(({ path, message }) => [path, message]);
  }
}
function schemaOf(method: string, path: string, part: 'body' | 'query'): z.ZodType {
  const schema = routes.find((one) => one.method === method && one.path === `/api/v1/${path}`)?.[part];
  if (!schema) throw new Error(`${method} ${path} has no ${part}`);
  return schema;
}

const rule = (more: Record<string, unknown>) => ({
  name: 'x',
  when: { events: ['created'] },
  then: [{ do: 'escalate' }],
  ...more,
});
const THREE_FORMS =
  'must be one of {events: [...]}, {idle_for: {minutes, since?, working?}}, {until_due: {minutes}}: when it happens, when nothing happened for so long, or so long before it is due';
const PRIORITIES = 'must be one of critical, urgent, high, medium, low (or P1 to P4)';
const HOURS = 'must be 24x7, or intervals by weekday such as {"mon": [{"from": "09:00", "to": "17:00"}]}';

describe('a body', () => {
  test.each<[string, unknown, [string, unknown][]]>([
    ['tickets', {}, [['title', 'is required']]],
    ['tickets', { title: ' ' }, [['title', 'must not be empty']]],
    ['tickets', { title: null }, [['title', 'must be text, not null']]],
    ['tickets', { title: 'x'.repeat(301) }, [['title', 'must have at most 300 characters']]],
    [
      'tickets',
      { title: 5, priority: 'x', tags: 'a', custom_fields: [], estimated_hours: -1, private: 1, foo: 1 },
      [
        ...[['title', 'must be text'] as [string, unknown], ['priority', PRIORITIES] as [string, unknown]],
        ...[
          ['tags', 'must be a list'] as [string, unknown],
          ['estimated_hours', 'must be at least 0'] as [string, unknown],
        ],
        ...[
          ['custom_fields', 'must be an object'] as [string, unknown],
          ['private', 'must be true or false'] as [string, unknown],
        ],
        ['foo', 'is not a known field'],
      ],
    ],
    [
      'tickets',
      { title: 'x', __v: 1, assigneeId: 'a', teamId: 'b' },
      [
        ['__v', 'is not a known field'],
        ['assigneeId', 'is not a known field'],
        ['teamId', 'is not a known field'],
      ],
    ],
    ['tickets/{id}/feedback', { rating: 2.5 }, [['rating', 'must be a whole number']]],
    ['tickets/{id}/feedback', { rating: 6 }, [['rating', 'must be at most 5']]],
    [
      'tickets/bulk',
      { ids: [], action: 'x' },
      [
        ['ids', 'must not be empty'],
        ['action', expect.stringMatching(/^must be one of status, resolve, /)],
      ],
    ],
    ['workflows', rule({ when: { foo: 1 } }), [['when', THREE_FORMS]]],
    ['workflows', rule({ when: 'created' }), [['when', THREE_FORMS]]],
    [
      'workflows',
      rule({ when: { events: ['created'], until_due: { minutes: 1 } } }),
      [['when', THREE_FORMS]],
    ],
    ['workflows', rule({ when: undefined }), [['when', 'is required']]],
    [
      'workflows',
      rule({ when: { events: ['nope'] } }),
      [['when.events.0', expect.stringMatching(/^must be one of any, created, /)]],
    ],
    [
      'workflows',
      rule({ when: { idle_for: { minutes: 0 } } }),
      [['when.idle_for.minutes', 'must be at least 1']],
    ],
    ['workflows', rule({ when: { events: ['created'], foo: 1 } }), [['when.foo', 'is not a known field']]],
    [
      'workflows',
      rule({ then: [{ do: 'fly' }] }),
      [['then.0.do', expect.stringMatching(/^must be one of set, add_tags, /)]],
    ],
    ['workflows', rule({ then: [{ do: 'assign', foo: 1 }] }), [['then.0.foo', 'is not a known field']]],
    ['workflows', rule({ if: { x: 1 } }), [['if', expect.stringMatching(/^must be \{field, op, value\}/)]]],
    [
      'workflows',
      rule({ if: { all: [{ field: 'priority', op: 'equals', value: {} }] } }),
      [['if.all.0.value', 'must be text or a number or true or false or a list']],
    ],
    [
      'workflows',
      rule({ if: { any: [{ field: 'nothing', op: 'equals', value: 1 }] } }),
      [['if.any.0.field', expect.stringMatching(/^"nothing" is no field that a rule knows/)]],
    ],
    ['calendars', { name: 'x', time_zone: 'UTC', hours: '25x7' }, [['hours', HOURS]]],
    [
      'calendars',
      { name: 'x', time_zone: 'UTC', hours: { Monday: [{ from: '09:00', to: '10:00' }], funday: [] } },
      [['hours.funday', 'must be one of mon, tue, wed, thu, fri, sat, sun']],
    ],
    [
      'calendars',
      { name: 'x', time_zone: 'UTC', hours: { mon: [{ from: '9', to: '10:00' }] } },
      [['hours.mon.0.from', 'a time of day such as 09:00, at most 24:00']],
    ],
    [
      'sla-policies',
      { name: 'x', targets: { P9: {} }, escalation: [{ after_minutes: 1, reassign: 'foo' }] },
      [
        ['targets.P9', 'must be one of critical, urgent, high, medium, low'],
        ['escalation.0.reassign', 'must be lead, on_call, {"team": "<id>"} or null'],
      ],
    ],
  ])('for %s, %j: %j', (path, body, wanted) => {
    expect(complaintsAbout(schemaOf('post', path, 'body'), body).sort()).toEqual([...wanted].sort());
  });
});

test('what should be a list and is none is told so, and nothing of its length', () => {
  const body = schemaOf('put', 'desks/{id}/workflow', 'body');
  expect(complaintsAbout(body, { steps: 'x' })).toEqual([['steps', 'must be a list']]);
  expect(complaintsAbout(body, { steps: [{ name: 'x' }] })).toEqual([
    ['steps', 'must have at least 2 items'],
  ]);
});

test('an assignment says to whom', () => {
  const body = schemaOf('put', 'tickets/{id}/assign', 'body');
  expect(complaintsAbout(body, { notes: 'please' })).toEqual([['assignee_id', 'is required, or team_id']]);
  expect(complaintsAbout(body, { assignee_id: null })).toEqual([]);
});

describe('a query', () => {
  test.each<[Record<string, unknown>, [string, unknown][]]>([
    [{ status_kind: 'foo' }, [['status_kind', 'must be one of new, open, pending, resolved, closed']]],
    [
      { status_kind: ['open', 'foo'] },
      [['status_kind.1', 'must be one of new, open, pending, resolved, closed']],
    ],
    [{ priority: 'zz' }, [['priority', PRIORITIES]]],
    [{ my: 'maybe' }, [['my', 'must be one of true, false']]],
    [{ page: '0' }, [['page', 'must be at least 1']]],
    [{ page: 'x' }, [['page', 'must be a number']]],
    [{ assignee: '' }, [['assignee', 'must not be empty']]],
    [{ pageSize: '5' }, [['pageSize', 'is not a known field']]],
  ])('%j: %j', (query, wanted) => {
    expect(complaintsAbout(schemaOf('get', 'tickets', 'query'), query)).toEqual(wanted);
  });
});

test('no field of any route has a complaint that says nothing', () => {
  const dull: string[] = [];
  const values: unknown[] = [
    undefined,
    null,
    5,
    -1,
    1e300,
    2.5,
    '',
    'x',
    'x'.repeat(200_000),
    true,
    {},
    [],
    [{}],
    [5],
    { x: 1 },
  ];
  for (const { method, path, body, query } of routes)
    for (const schema of [body, query]) {
      const shape = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
      for (const value of [...values, ...values.map((one) => [one])])
        for (const given of [value, Object.fromEntries(shape.map((name) => [name, value]))])
          try {
            if (schema) readBy(schema, given);
          } catch (error) {
            if (!(error instanceof ZodError)) throw error;
            for (const { path: at, message } of fromZod(error).details)
              if (!message || /^(Invalid|Too |Unrecognized)|undefined|\bnullish|expected/.test(message))
                dull.push(`${method} ${path} ${at}: ${message}`);
          }
    }
  expect([...new Set(dull)]).toEqual([]);
});
