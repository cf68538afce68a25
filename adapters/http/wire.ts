// JSON on the wire is snake_case, TypeScript is camelCase: this is the one place that knows both. What people made up
// themselves (custom fields, mappings) keeps its own keys. What cannot be text or data of anybody's is refused here.
import { invalid } from '../../src/errors.ts';

const FREE = new Set([
  'custom_fields',
  'customFields',
  'mapping',
  'emojis',
  'events',
  'facts',
  'headers',
  'sample',
  'by_status',
  'byStatus',
  'by_priority',
  'byPriority',
  'by_category',
  'byCategory',
  'moves',
]);
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);
const DEEPEST = 20;

const camelKeys = new Map<string, string>();
const snakeKeys = new Map<string, string>();
const kept = (cache: Map<string, string>, key: string, make: (key: string) => string): string => {
  let known = cache.get(key);
  if (known === undefined) {
    known = make(key);
    if (cache.size < 5_000) cache.set(key, known);
  }
  return known;
};
export const camelKey = (key: string): string =>
  kept(camelKeys, key, (k) => k.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase()));
export const snakeKey = (key: string): string =>
  kept(snakeKeys, key, (k) => k.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`));

/** A name that is written as ours are inside is none of the contract's: marked, so that no schema knows it. */
const FOREIGN = '\0';
const ownName = (key: string): string => (/[a-z0-9][A-Z]/.test(key) ? FOREIGN + key : camelKey(key));
/** A step of a path, as whoever sent it wrote it. */
export const nameOnWire = (step: PropertyKey): string => {
  const name = String(step);
  if (name.startsWith(FOREIGN)) return name.slice(FOREIGN.length);
  return /^[a-z_]/.test(name) ? snakeKey(name) : name;
};

export function fromWire(value: unknown, path = '', depth = 0, free = false): unknown {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed())
      throw invalid('request.text', 'Text must be well-formed Unicode without NUL.', [
        { path, message: 'is not text' },
      ]);
    return value;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEEPEST)
    throw invalid('request.depth', 'The request is nested too deeply.', [
      { path, message: 'is nested too deeply' },
    ]);
  if (Array.isArray(value)) return value.map((one, at) => fromWire(one, `${path}[${at}]`, depth + 1, free));
  const out: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    const here = path ? `${path}.${key}` : key;
    if (FORBIDDEN.has(key) || key.startsWith('$'))
      throw invalid('request.key', `"${key.slice(0, 40)}" is no name of a field.`, [
        { path: here, message: 'is not allowed' },
      ]);
    const name = free ? key : ownName(key);
    if (Object.hasOwn(out, name))
      throw invalid('request.name_twice', `"${key.slice(0, 40)}" stands there twice.`, [
        { path: here, message: 'stands there twice' },
      ]);
    out[name] = fromWire(inner, here, depth + 1, free || FREE.has(key));
  }
  return out;
}

const labels = new Map<string, string>();
const labelOf = (key: string): string => kept(labels, key, (k) => `${JSON.stringify(snakeKey(k))}:`);

/** As JSON, in one go. */
export function toWire(value: unknown, free = false): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'null' : `"${value.toISOString()}"`;
  let out = '';
  if (Array.isArray(value)) {
    for (const one of value) out += out === '' ? toWire(one, free) : `,${toWire(one, free)}`;
    return `[${out}]`;
  }
  for (const key in value) {
    const inner = (value as Record<string, unknown>)[key];
    if (inner === undefined) continue;
    if (out !== '') out += ',';
    out += free ? `${JSON.stringify(key)}:` : labelOf(key);
    out += toWire(inner, free || FREE.has(key));
  }
  return `{${out}}`;
}
