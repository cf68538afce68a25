// Text search: the words of a text, how well a document answers a search, its phrases and its negations.
// The score travels with the document under a symbol, which spreads keep and BSON never sees.
import { type Doc, isDoc } from './documents.ts';
import { bad, fault, unsupported } from './errors.ts';
import { valuesAt } from './paths.ts';
import { stem } from './stemming.ts';
import { words } from './words.ts';

export type TextFields = readonly (readonly [path: string, weight: number])[];

const SCORE = Symbol('text score');
type Scored = Doc & { [SCORE]?: number };

export const scoreOf = (doc: Doc): number | undefined => (doc as Scored)[SCORE];

export function keepScore(from: Doc, to: Scored): void {
  const score = scoreOf(from);
  if (score !== undefined) to[SCORE] = score;
}

const STOP_WORDS = new Set(
  words(`a about above after again against all am an and any are as at be because been before being below between both but by
  can did do does doing don down during each few for from further had has have having he her here hers herself him
  himself his how i if in into is it its itself just me more most my myself no nor not now of off on once only or other
  our ours ourselves out over own s same she should so some such t than that the their theirs them themselves then
  there these they this those through to too under until up very was we were what when where which while who whom why
  will with you your yours yourself yourselves`),
);

const plain = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

/** The stems of the words of a text that are worth finding, in order, repeated as they are. */
export function tokens(text: string): string[] {
  const found = plain(text).match(/[\p{L}\p{N}_]+(?:'[\p{L}\p{N}_]+)*/gu) ?? [];
  return found.filter((word) => !STOP_WORDS.has(word)).map(stem);
}

export interface Search {
  terms: string[];
  phrases: string[];
  negated: string[];
  negatedPhrases: string[];
}

export function searchTerms(search: string): Search {
  const result: Search = { terms: [], phrases: [], negated: [], negatedPhrases: [] };
  const rest = search.replace(/(^|\s)(-?)"([^"]*)"/g, (_whole, _space, minus: string, phrase: string) => {
    (minus ? result.negatedPhrases : result.phrases).push(plain(phrase));
    return minus ? ' ' : ` ${phrase} `;
  });
  for (const word of rest.split(/\s+/))
    if (word.startsWith('-')) result.negated.push(...tokens(word.slice(1)));
    else result.terms.push(...tokens(word));
  result.terms = [...new Set(result.terms)];
  return result;
}

/** The strings in a value, however deep. */
function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) || isDoc(value) ? Object.values(value).flatMap(stringsIn) : [];
}

function textsAt(doc: Doc, path: string): string[] {
  if (path === '$**') return stringsIn(doc);
  const values: unknown[] = [];
  valuesAt(doc, path.split('.'), values);
  return values.flat().filter((value) => typeof value === 'string');
}

/** What the text index holds of a document. */
export function textTokens(doc: Doc, fields: TextFields): Set<string> {
  return new Set(fields.flatMap(([path]) => textsAt(doc, path).flatMap(tokens)));
}

/** Each word counts, half as much every time it comes again, and more where it is a larger part of the text. */
function score(text: string, weight: number, terms: ReadonlySet<string>): number {
  const heard = tokens(text);
  const counts = new Map<string, number>();
  for (const word of heard) if (terms.has(word)) counts.set(word, (counts.get(word) ?? 0) + 1);
  let total = 0;
  for (const [word, count] of counts) {
    const worth = 2 - 0.5 ** (count - 1);
    const share = (0.5 * count) / heard.length + 0.5;
    total += weight * worth * share * (plain(text) === word ? 1.1 : 1);
  }
  return total;
}

/** The predicate of $text; a document that matches carries its score from then on. */
export function compileText(spec: unknown, fields: TextFields): (doc: Doc) => boolean {
  const { terms, phrases, negated, negatedPhrases } = searchTerms(searchOf(spec));
  const wanted = new Set(terms);
  return (doc: Scored) => {
    const texts = fields.flatMap(([path, weight]) => textsAt(doc, path).map((text) => ({ text, weight })));
    const total = texts.reduce((sum, { text, weight }) => sum + score(text, weight, wanted), 0);
    if (total === 0) return false;
    const all = plain(texts.map(({ text }) => text).join('\n'));
    const heard = new Set(negated.length > 0 ? tokens(all) : []);
    if (negated.some((word) => heard.has(word)) || negatedPhrases.some((phrase) => all.includes(phrase)))
      return false;
    if (!phrases.every((phrase) => all.includes(phrase))) return false;
    doc[SCORE] = total;
    return true;
  };
}

/** The words asked for; the options that would change what a word is are refused. */
export function searchOf(spec: unknown): string {
  if (!isDoc(spec)) bad('$text expects an object');
  const { $search: search, $language: language = 'english' } = spec;
  if (typeof search !== 'string') fault(40414, "BSON field '$text.$search' is missing but a required field");
  for (const option of ['$caseSensitive', '$diacriticSensitive'])
    if (spec[option] === true) unsupported(option);
  if (!['english', 'en', 'none'].includes(String(language)))
    fault(17262, `unsupported language: "${language}" for text index version 3`);
  return search;
}
