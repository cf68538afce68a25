// A small valid body for a schema: what is required and nothing else, by its examples where it gives any.
import { z } from 'zod';

type Json = Record<string, unknown>;

/** In snake_case, as it goes over the wire; undefined when no valid one was found. */
export function sampleOf(schema: z.ZodType): unknown {
  const shape = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Json;
  const sample = build(shape, shape, 0);
  return schema.safeParse(sample).success ? onWire(sample) : undefined;
}

function build(shape: Json, root: Json, depth: number): unknown {
  if (depth > 8) return null;
  if (typeof shape.$ref === 'string') {
    const name = shape.$ref.split('/').at(-1) ?? '';
    const definitions = (root.$defs ?? {}) as Record<string, Json>;
    return build(definitions[name] ?? {}, root, depth + 1);
  }
  if ('default' in shape) return shape.default;
  if ('const' in shape) return shape.const;
  if ('example' in shape) return shape.example;
  if (Array.isArray(shape.examples)) return shape.examples[0];
  if (Array.isArray(shape.enum)) return shape.enum[0];
  for (const word of ['anyOf', 'oneOf', 'allOf'] as const) {
    const ways = shape[word];
    if (Array.isArray(ways)) return build(ways[0] as Json, root, depth + 1);
  }
  switch (shape.type) {
    case 'object':
      return Object.fromEntries(
        ((shape.required ?? []) as string[]).map((name) => [
          name,
          build(((shape.properties ?? {}) as Record<string, Json>)[name] ?? {}, root, depth + 1),
        ]),
      );
    case 'array':
      return Array.from({ length: Number(shape.minItems ?? 0) }, () =>
        build((shape.items ?? {}) as Json, root, depth + 1),
      );
    case 'integer':
    case 'number':
      return Math.max(1, Number(shape.minimum ?? 1));
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return words(shape);
  }
}

const words = ({ format, pattern, minLength }: Json): string => {
  if (format === 'email') return 'somebody@example.com';
  if (format === 'uri' || format === 'url') return 'https://example.com/hook';
  if (format === 'date-time') return '2027-01-01T00:00:00.000Z';
  if (typeof pattern === 'string')
    return (
      ['09:00', 'sample', 'SAMPLE', '2027-01-01'].find((one) => new RegExp(pattern).test(one)) ?? 'sample'
    );
  return 'sample'.padEnd(Number(minLength ?? 0), 'x');
};

function onWire(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(onWire);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      onWire(inner),
    ]),
  );
}
