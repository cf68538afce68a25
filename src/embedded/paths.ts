// Dotted paths. A query path looks through arrays it meets, an update path does not.
import { type Doc, isDoc } from './documents.ts';
import { fault } from './errors.ts';
import { field } from './values.ts';

const INDEX = /^(0|[1-9]\d*)$/;

export const isIndex = (part: string): boolean => INDEX.test(part);

/**
 * What a query means by a path: arrays on the way are looked through, element by element and by position.
 * Missing counts as undefined, once for each place where the field could have been.
 */
export function valuesAt(from: unknown, parts: readonly string[], found: unknown[], depth = 0): void {
  const part = parts[depth];
  if (part === undefined) {
    found.push(from);
  } else if (Array.isArray(from)) {
    const element = isIndex(part) ? from[Number(part)] : undefined;
    const leaf = depth + 1 === parts.length;
    if (element !== undefined && (leaf || Array.isArray(element) || isDoc(element)))
      valuesAt(element, parts, found, depth + 1);
    for (const element of from) if (isDoc(element)) valuesAt(element, parts, found, depth);
  } else {
    const value = isDoc(from) ? field(from, part) : undefined;
    if (value === undefined) found.push(undefined);
    else valuesAt(value, parts, found, depth + 1);
  }
}

/** The field of a document, or the element of an array at a position. */
export function getIn(from: unknown, part: string): unknown {
  if (Array.isArray(from)) return isIndex(part) ? from[Number(part)] : undefined;
  return isDoc(from) ? field(from, part) : undefined;
}

/** The one value at a path, positions counted, arrays not looked through. */
export function getAt(from: unknown, parts: readonly string[]): unknown {
  let value = from;
  for (const part of parts) value = getIn(value, part);
  return value;
}

/** A reader of one query path over many documents, quick where the path is one plain field. */
export function reader(path: string): (doc: Doc) => unknown[] {
  const parts = path.split('.');
  const single = parts.length === 1;
  return (doc) => {
    if (single && !Array.isArray(doc)) return [field(doc, path)];
    const found: unknown[] = [];
    valuesAt(doc, parts, found);
    return found;
  };
}

/** The fields of a DBRef, which are fields like any other. */
export const REFERENCE: ReadonlySet<string> = new Set(['$ref', '$id', '$db']);

/** Refuses what is no path of fields in a stage or an expression. */
export function checkFieldPath(path: string): void {
  if (path === '') fault(40352, 'FieldPath cannot be constructed with empty string');
  if (path.endsWith('.')) fault(40353, "FieldPath must not end with a '.'.");
  const parts = path.split('.');
  if (parts.includes('')) fault(15998, 'FieldPath field names may not be empty strings.');
  if (parts.some((part, i) => part.startsWith('$') && !(i > 0 && REFERENCE.has(part))))
    fault(16410, `FieldPath field names may not start with '$': '${path}'`);
}
