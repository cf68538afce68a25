// Collations of strength 1 and 2: what compares equal folds to one string, so that an index can serve it.
// Anything that cannot be folded so is refused rather than answered by the wrong order.

import type { Doc } from './documents.ts';
import { bad, fault, unsupported } from './errors.ts';
import { type Collation, toNumber } from './values.ts';

const unmarked = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
const uncased = (text: string): string => text.normalize('NFC').toLowerCase();
const composed = (text: string): string => text.normalize('NFC');

/** No collation means the simple one: bytes. */
export function collator(spec: unknown): Collation | undefined {
  if (spec === undefined || spec === null) return undefined;
  if (typeof spec !== 'object') fault(14, 'collation must be an object');
  const { locale, strength = 3, ...rest } = spec as Doc;
  if (typeof locale !== 'string')
    fault(40414, "BSON field 'collation.locale' is missing but a required field");
  if (locale === 'simple') return undefined;
  for (const option of ['numericOrdering', 'caseLevel', 'backwards', 'normalization']) {
    if (rest[option] === true) unsupported(`the collation option ${option}`);
  }
  if (rest.alternate === 'shifted') unsupported('the collation option alternate: "shifted"');
  const level = toNumber(strength);
  if (level !== 1 && level !== 2 && level !== 3) unsupported(`collation strength ${level}`);
  return collating(locale, level, spec as Doc);
}

function collating(locale: string, strength: 1 | 2 | 3, spec: Doc): Collation {
  const sensitivity = strength === 1 ? 'base' : strength === 2 ? 'accent' : 'variant';
  let collator: Intl.Collator;
  try {
    const caseFirst = spec.caseFirst === 'upper' || spec.caseFirst === 'lower' ? spec.caseFirst : 'false';
    collator = new Intl.Collator(locale.replace('_', '-'), { sensitivity, caseFirst });
  } catch {
    bad(`Field 'locale' is invalid in: { locale: "${locale}" }`);
  }
  const fold = strength === 1 ? unmarked : strength === 2 ? uncased : composed;
  return {
    compare: (a, b) => (fold(a) === fold(b) ? 0 : collator.compare(a, b) || (fold(a) < fold(b) ? -1 : 1)),
    fold,
    key: JSON.stringify([locale, strength]),
    spec,
  };
}
