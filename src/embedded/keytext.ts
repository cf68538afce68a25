// A text for any value, the same for values that MongoDB takes for equal and for no others.
import { Decimal128 } from 'bson';
import { show } from './showing.ts';
import { type Collation, compare, isNumber, isObject, toNumber, typeName, typeOf } from './values.ts';

export function keyText(value: unknown, collation?: Collation): string {
  if (typeof value === 'string') return `"${JSON.stringify(collation ? collation.fold(value) : value)}`;
  if (isNumber(value)) return `#${numberText(value)}`;
  if (value instanceof Date) return `@${value.getTime()}`;
  if (Array.isArray(value)) return `[${value.map((element) => keyText(element, collation)).join(',')}]`;
  if (isObject(value)) {
    const parts = Object.keys(value).map(
      (name) => `${JSON.stringify(name)}:${keyText(value[name], collation)}`,
    );
    return `{${parts.join(',')}}`;
  }
  if (value === null || value === undefined) return '~';
  return `${typeOf(value)}${typeName(value)}${show(value)}`;
}

function numberText(value: unknown): string {
  const nearest = toNumber(value);
  if (!(value instanceof Decimal128) || Number.isNaN(nearest)) {
    return typeof value === 'bigint'
      ? String(value)
      : Number.isInteger(nearest)
        ? String(BigInt(nearest))
        : String(nearest);
  }
  if (compare(value, nearest) === 0) return numberText(nearest);
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]?\d+))?$/i.exec(value.toString()) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  return `${sign}${kept}d${Number(exponent) - fraction.length + digits.length - kept.length}`;
}
