// Operators over documents and over what travels with them.
import { type Doc, setField } from './documents.ts';
import { fault } from './errors.ts';
import { any, type Form, missing, named, object, takes } from './operators.ts';
import { scoreOf } from './text.ts';
import { field, isObject, typeName } from './values.ts';

/** Writes the fields of one document over those of another. */
export function mergeFields(result: Doc, value: unknown): Doc {
  if (missing(value)) return result;
  if (!isObject(value))
    fault(40400, `$mergeObjects requires object inputs, but one is of type ${typeName(value)}`);
  for (const name of Object.keys(value)) setField(result, name, value[name]);
  return result;
}

const merging: Form = (argument, scope, compile) => {
  const parts = (Array.isArray(argument) ? argument : [argument]).map((part) => compile(part, scope));
  return (root) => {
    const values = parts.map((part) => part(root));
    const documents = values.length === 1 && Array.isArray(values[0]) ? values[0] : values;
    return documents.reduce<Doc>(mergeFields, {});
  };
};

function fieldName(operator: string, argument: unknown): string {
  const name = isObject(argument) && '$literal' in argument ? argument.$literal : argument;
  return typeof name === 'string' ? name : fault(5654602, `${operator} requires 'field' to be a string`);
}

const getField: Form = (argument, scope, compile, operator) => {
  const whole = isObject(argument) && 'field' in argument;
  const spec = whole ? named(operator, argument, ['field', 'input'], ['field']) : { field: argument };
  const name = isObject(spec.field) ? compile(spec.field, scope) : () => spec.field;
  const input = compile('input' in spec ? spec.input : '$$CURRENT', scope);
  return (root) => {
    const from = input(root);
    if (isObject(from)) return field(from, fieldName(operator, name(root)));
    return missing(from) ? from : undefined;
  };
};

const writing =
  (names: string[]): Form =>
  (argument, scope, compile, operator) => {
    const spec = named(operator, argument, names, names);
    const name = fieldName(operator, spec.field);
    const write = takes(
      [object, any],
      (from, written) => {
        const result: Doc = { ...from };
        if (written === undefined) delete result[name];
        else setField(result, name, written);
        return result;
      },
      4161105,
    );
    return write([spec.input, 'value' in spec ? spec.value : '$$REMOVE'], scope, compile, operator);
  };

export const OBJECTS: Record<string, Form> = {
  $mergeObjects: merging,
  $objectToArray: takes([object], (doc) => Object.keys(doc).map((k) => ({ k, v: doc[k] })), 40390),
  $getField: getField,
  $setField: writing(['field', 'input', 'value']),
  $unsetField: writing(['field', 'input']),
  $meta: (argument) => {
    if (argument === 'indexKey' || argument === 'recordId') return () => undefined;
    if (argument !== 'textScore') fault(17308, `Unsupported argument to $meta: ${String(argument)}`);
    return (root) => (isObject(root) ? scoreOf(root) : undefined);
  },
};
