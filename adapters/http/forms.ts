// Multipart forms, streamed: fields are collected, each file is handed on as it comes and never held in memory. What is
// malformed is refused, and a form that breaks off leaves nothing behind.

import type { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import type { Request } from 'express';
import { invalid, Refusal } from '../../src/errors.ts';

export interface FormFile {
  field: string;
  name: string;
  bytes: Readable;
}

const LIMITS = { fields: 60, fieldSize: 200_000, fieldNameSize: 100, files: 20, parts: 80, headerPairs: 50 };
const broken = (why: string) => invalid('request.form', `The form cannot be read: ${why}.`);

/** What the fields of a form, which are all text, are read as. */
export interface FieldKinds {
  numbers?: readonly string[];
  /** `true` or `false`, in any letter case. */
  booleans?: readonly string[];
  lists?: readonly string[];
  objects?: readonly string[];
}

export const isForm = (req: Request): boolean =>
  /^multipart\/form-data(?:\s*;|\s*$)/i.test(req.headers['content-type'] ?? '');

/** Resolves with the fields once every file has been taken by `take` (which must consume or refuse it). */
export function readForm(
  req: Request,
  take: (file: FormFile, fields: Record<string, string | string[]>) => Promise<void>,
): Promise<Record<string, string | string[]>> {
  return new Promise((resolve, reject) => {
    const fields: Record<string, string | string[]> = {};
    const taken: Promise<void>[] = [];
    const open = new Set<Readable>();
    let failed = false;
    const fail = (error: unknown) => {
      if (failed) return;
      failed = true;
      for (const bytes of open) bytes.destroy(error instanceof Error ? error : new Error('broken'));
      req.unpipe();
      req.resume();
      void Promise.allSettled(taken).then(() => reject(error));
    };
    let parser: BusboyInstance;
    try {
      parser = new Busboy({ headers: req.headers as { 'content-type': string }, limits: LIMITS });
    } catch (error) {
      reject(broken((error as Error).message));
      return;
    }
    parser.on('field', (name, value, nameCut, valueCut) => {
      if (!name || nameCut || Object.hasOwn(Object.prototype, name))
        return fail(broken('a field has no proper name'));
      if (valueCut)
        return fail(new Refusal('large', 'request.field_too_large', `The field "${name}" is too long.`));
      const known = Object.hasOwn(fields, name) ? fields[name] : undefined;
      fields[name] = known === undefined ? value : [...[known].flat(), value];
    });
    parser.on('file', (field, bytes, name) => {
      bytes.on('error', fail);
      if (failed) {
        bytes.resume();
        return;
      }
      if (!field) {
        bytes.resume();
        return fail(broken('a file has no field name'));
      }
      open.add(bytes);
      bytes.once('close', () => open.delete(bytes));
      const job = take({ field, name: name ?? '', bytes }, fields).finally(() => open.delete(bytes));
      taken.push(job);
      job.catch(fail);
    });
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const)
      parser.on(limit, () =>
        fail(new Refusal('large', 'request.too_many_parts', 'The form has too many parts.')),
      );
    parser.on('error', (error) => fail(broken((error as Error).message)));
    parser.once('finish', () => {
      if (!failed) Promise.all(taken).then(() => resolve(fields), fail);
    });
    req.once('close', () => {
      if (!req.complete) fail(broken('it broke off'));
    });
    req.pipe(parser);
  });
}

/** Form fields are all text: what the schema wants as number, list or object is read from it. */
export function formBody(
  fields: Record<string, string | string[]>,
  kinds: FieldKinds,
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const one = Array.isArray(value) ? value.at(-1) : value;
    if (kinds.lists?.includes(name))
      out[name] = [value]
        .flat()
        .flatMap((text) => (text.trim().startsWith('[') ? json(name, text) : text.split(',')))
        .map((text) => (typeof text === 'string' ? text.trim() : text))
        .filter((text) => text !== '');
    else if (Array.isArray(value))
      throw invalid('request.form', `${name}: stands there twice`, [
        { path: name, message: 'stands there twice' },
      ]);
    else if (kinds.numbers?.includes(name)) out[name] = one === '' ? null : Number(one);
    else if (kinds.objects?.includes(name)) out[name] = json(name, one ?? '');
    else if (kinds.booleans?.includes(name)) out[name] = yesOrNo(one ?? '');
    else out[name] = one;
  }
  return out;
}

const yesOrNo = (text: string): boolean | string =>
  ({ true: true, false: false })[text.toLowerCase()] ?? text;

function json(name: string, text: string): never[] {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('request.form', `${name}: is not valid JSON`, [
      { path: name, message: 'is not valid JSON' },
    ]);
  }
}
