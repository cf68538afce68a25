// Collations of strength 1 to 3: what compares equal folds to one string, so that an index can serve it.
// Anything that cannot be folded so is refused rather than answered by the wrong order.
import type { Doc } from './documents.ts';
import { bad, fault, unsupported } from './errors.ts';
import { type Collation, toNumber } from './values.ts';

/** By strength: what Intl calls it, and what of a text counts. */
const LEVELS: Record<number, [sensitivity: 'base' | 'accent' | 'variant', fold: (text: string) => string]> = {
  1: ['base', (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()],
  2: ['accent', (text) => text.normalize('NFC').toLowerCase()],
  3: ['variant', (text) => text.normalize('NFC')],
};

/** No collation means the simple one: bytes. */
export function collator(given: unknown): Collation | undefined {
  if (given === undefined || given === null) return undefined;
  if (typeof given !== 'object') fault(14, 'collation must be an object');
  const spec = given as Doc;
  const { locale, strength = 3, caseFirst, alternate } = spec;
  if (typeof locale !== 'string')
    fault(40414, "BSON field 'collation.locale' is missing but a required field");
  if (locale === 'simple') return undefined;
  for (const option of ['numericOrdering', 'caseLevel', 'backwards', 'normalization'])
    if (spec[option] === true) unsupported(`the collation option ${option}`);
  if (alternate === 'shifted') unsupported('the collation option alternate: "shifted"');
  const [sensitivity, fold] =
    LEVELS[toNumber(strength)] ?? unsupported(`collation strength ${toNumber(strength)}`);
  try {
    const first = caseFirst === 'upper' || caseFirst === 'lower' ? caseFirst : 'false';
    const collator = new Intl.Collator(locale.replace('_', '-'), { sensitivity, caseFirst: first });
    const compare = (a: string, b: string): number =>
      fold(a) === fold(b) ? 0 : collator.compare(a, b) || (fold(a) < fold(b) ? -1 : 1);
    return { compare, fold, key: JSON.stringify([locale, toNumber(strength)]), spec };
  } catch {
    return bad(`Field 'locale' is invalid in: { locale: "${locale}" }`);
  }
}
