// Text search: the words of a text, how well a document answers a search, its phrases and its negations.
// The score travels with the document under a symbol, which spreads keep and BSON never sees.

import type { Doc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { valuesAt } from './paths.ts';
import { stem } from './stemming.ts';
import { isObject } from './values.ts';
import { words } from './words.ts';

export type TextFields = readonly (readonly [path: string, weight: number])[];

const SCORE = Symbol('text score');

export function scoreOf(doc: Doc): number | undefined {
  return (doc as { [SCORE]?: number })[SCORE];
}

export function keepScore(from: Doc, to: Doc): void {
  const score = scoreOf(from);
  if (score !== undefined) (to as { [SCORE]?: number })[SCORE] = score;
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
  const found: string[] = [];
  for (const [word] of plain(text).matchAll(/[\p{L}\p{N}_]+(?:'[\p{L}\p{N}_]+)*/gu)) {
    if (!STOP_WORDS.has(word)) found.push(stem(word));
  }
  return found;
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
    if (minus) result.negatedPhrases.push(plain(phrase));
    else result.phrases.push(plain(phrase));
    return minus ? ' ' : ` ${phrase} `;
  });
  for (const word of rest.split(/\s+/)) {
    if (word.startsWith('-')) result.negated.push(...tokens(word.slice(1)));
    else result.terms.push(...tokens(word));
  }
  result.terms = [...new Set(result.terms)];
  return result;
}

function strings(value: unknown, found: string[]): void {
  if (typeof value === 'string') found.push(value);
  else if (Array.isArray(value)) for (const element of value) strings(element, found);
  else if (isObject(value)) for (const name of Object.keys(value)) strings(value[name], found);
}

function textsAt(doc: Doc, path: string): string[] {
  const found: string[] = [];
  if (path === '$**') {
    strings(doc, found);
    return found;
  }
  const values: unknown[] = [];
  valuesAt(doc, path.split('.'), values);
  for (const value of values.flat()) if (typeof value === 'string') found.push(value);
  return found;
}

/** What the text index holds of a document. */
export function textTokens(doc: Doc, fields: TextFields): Set<string> {
  const found = new Set<string>();
  for (const [path] of fields) {
    for (const text of textsAt(doc, path)) for (const token of tokens(text)) found.add(token);
  }
  return found;
}

function score(text: string, weight: number, terms: ReadonlySet<string>): number {
  const heard = tokens(text);
  const frequency = new Map<string, { count: number; worth: number }>();
  for (const word of heard) {
    if (!terms.has(word)) continue;
    const seen = frequency.get(word) ?? { count: 0, worth: 0 };
    frequency.set(word, { count: seen.count + 1, worth: seen.worth + 0.5 ** seen.count });
  }
  let total = 0;
  for (const [word, { count, worth }] of frequency) {
    const share = (0.5 * count) / heard.length + 0.5;
    total += weight * worth * share * (plain(text) === word ? 1.1 : 1);
  }
  return total;
}

/** The predicate of $text; a document that matches carries its score from then on. */
export function compileText(spec: unknown, fields: TextFields): (doc: Doc) => boolean {
  const { terms, phrases, negated, negatedPhrases } = searchTerms(searchOf(spec));
  const wanted = new Set(terms);
  return (doc) => {
    let total = 0;
    let everything = '';
    for (const [path, weight] of fields) {
      for (const text of textsAt(doc, path)) {
        total += score(text, weight, wanted);
        everything += `\n${text}`;
      }
    }
    if (total === 0) return false;
    if (negated.length > 0) {
      const heard = new Set(tokens(everything));
      if (negated.some((word) => heard.has(word))) return false;
    }
    const all = plain(everything);
    if (!phrases.every((phrase) => all.includes(phrase))) return false;
    if (negatedPhrases.some((phrase) => all.includes(phrase))) return false;
    (doc as { [SCORE]?: number })[SCORE] = total;
    return true;
  };
}

/** The words asked for; the options that would change what a word is are refused. */
export function searchOf(spec: unknown): string {
  if (!isObject(spec)) bad('$text expects an object');
  const { $search: search, $language: language = 'english' } = spec;
  if (typeof search !== 'string') fault(40414, "BSON field '$text.$search' is missing but a required field");
  for (const option of ['$caseSensitive', '$diacriticSensitive']) {
    if (spec[option] === true) fault(115, `${option} is not supported by the embedded engine`);
  }
  if (!['english', 'en', 'none'].includes(String(language)))
    fault(17262, `unsupported language: "${language}" for text index version 3`);
  return search;
}
