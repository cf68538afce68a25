// Operators over documents and over what travels with them.
import { type Doc, isDoc, setField } from './documents.ts';
import { fault } from './errors.ts';
import { ANY, type Calculation, type Expression, type Form, missing, named, text } from './operators.ts';
import { scoreOf } from './text.ts';
import { field, isObject, typeName } from './values.ts';

function merged(...values: unknown[]): unknown {
  const result: Doc = {};
  const documents = values.length === 1 && Array.isArray(values[0]) ? values[0] : values;
  for (const value of documents) {
    if (missing(value)) continue;
    if (!isObject(value)) {
      fault(
        40400,
        `$mergeObjects requires object inputs, but input ${JSON.stringify(value)} is of type ${typeName(value)}`,
      );
    }
    for (const name of Object.keys(value)) setField(result, name, value[name]);
  }
  return result;
}

function entries(value: unknown): unknown {
  if (missing(value)) return null;
  if (!isObject(value)) fault(40390, `$objectToArray requires a document input, found: ${typeName(value)}`);
  return Object.keys(value).map((k) => ({ k, v: value[k] }));
}

const fieldName = (operator: string, argument: unknown): string => {
  const name = isObject(argument) && '$literal' in argument ? argument.$literal : argument;
  return text(operator, name, 5654602);
};

const getField: Form = (argument, scope, compile) => {
  const short = !isObject(argument) || !('field' in argument);
  const spec = short
    ? { field: argument, input: '$$CURRENT' }
    : named('$getField', argument, ['field', 'input'], ['field']);
  const name = isObject(spec.field) ? compile(spec.field, scope) : () => fieldName('$getField', spec.field);
  const input = compile('input' in spec ? spec.input : '$$CURRENT', scope);
  return (root) => {
    const from = input(root);
    return isObject(from)
      ? field(from, text('$getField', name(root), 3041704))
      : missing(from)
        ? from
        : undefined;
  };
};

function writer(name: string, input: Expression, value: Expression): Expression {
  return (root) => {
    const from = input(root);
    if (missing(from)) return null;
    if (!isDoc(from)) fault(4161105, `$setField requires 'input' to evaluate to type Object`);
    const result: Doc = { ...from };
    const written = value(root);
    if (written === undefined) delete result[name];
    else setField(result, name, written);
    return result;
  };
}

export const OBJECT_FORMS: Record<string, Form> = {
  $getField: getField,
  $setField: (argument, scope, compile) => {
    const spec = named('$setField', argument, ['field', 'input', 'value'], ['field', 'input', 'value']);
    return writer(fieldName('$setField', spec.field), compile(spec.input, scope), compile(spec.value, scope));
  },
  $unsetField: (argument, scope, compile) => {
    const spec = named('$unsetField', argument, ['field', 'input'], ['field', 'input']);
    return writer(fieldName('$unsetField', spec.field), compile(spec.input, scope), () => undefined);
  },
  $meta: (argument) => {
    if (argument !== 'textScore') {
      if (argument === 'indexKey' || argument === 'recordId') return () => undefined;
      fault(17308, `Unsupported argument to $meta: ${String(argument)}`);
    }
    return (root) => (isObject(root) ? scoreOf(root) : undefined);
  },
};

export const OBJECTS: Record<string, Calculation> = {
  $mergeObjects: [0, ANY, merged],
  $objectToArray: [1, 1, entries],
};
