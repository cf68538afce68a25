// English stems by Porter's algorithm, so that a search for "printers" finds "printer" and "printing" finds "print".
import { words } from './words.ts';

const VOWEL = '(?:[aeiou]|(?<=[^aeiou])y)';
const CONSONANT = '(?:[^aeiouy]|(?<![^aeiou])y)';
const MEASURE = new RegExp(`^${CONSONANT}*(?:(${VOWEL}+${CONSONANT}+)*)${VOWEL}*$`);
const SYLLABLE = new RegExp(`${VOWEL}+${CONSONANT}+`, 'g');
const HAS_VOWEL = new RegExp(VOWEL);
const DOUBLE = /([^aeiouylsz])\1$/;
const SHORT = new RegExp(`^${CONSONANT}+[aeiouy][^aeiouwxy]$`);

/** How many vowel-consonant turns a stem has. */
function measure(stem: string): number {
  return MEASURE.test(stem) ? (stem.match(SYLLABLE)?.length ?? 0) : 0;
}

/** Endings and what takes their place. */
const endings = (list: string): string[][] => words(list).map((pair) => pair.split('>'));

const SECOND =
  endings(`ational>ate tional>tion enci>ence anci>ance izer>ize abli>able alli>al entli>ent eli>e ousli>ous
  ization>ize ation>ate ator>ate alism>al iveness>ive fulness>ful ousness>ous aliti>al iviti>ive
  biliti>ble`);
const THIRD = endings(`icate>ic ative> alize>al iciti>ic ical>ic ful> ness>`);
const FOURTH =
  /^(.*?)(al|ance|ence|er|ic|able|ible|ant|ement|ment|ent|(?<=[st])ion|ou|ism|ate|iti|ous|ive|ize)$/;

function plural(word: string): string {
  if (/(?:ss|i)es$/.test(word)) return word.slice(0, -2);
  return /[^s]s$/.test(word) ? word.slice(0, -1) : word;
}

function past(word: string): string {
  if (word.endsWith('eed')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const [, stem] = /^(.*?)(?:ed|ing)$/.exec(word) ?? [];
  if (stem === undefined || !HAS_VOWEL.test(stem)) return word;
  if (/(?:at|bl|iz)$/.test(stem)) return `${stem}e`;
  if (DOUBLE.test(stem)) return stem.slice(0, -1);
  return measure(stem) === 1 && SHORT.test(stem) ? `${stem}e` : stem;
}

function replaced(word: string, known: string[][]): string {
  for (const [ending = '', by = ''] of known) {
    if (!word.endsWith(ending)) continue;
    const stem = word.slice(0, -ending.length);
    return measure(stem) > 0 ? stem + by : word;
  }
  return word;
}

export function stem(word: string): string {
  if (word.length < 3 || !/^[a-z]+$/.test(word)) return word;
  let result = past(plural(word));
  if (result.endsWith('y') && HAS_VOWEL.test(result.slice(0, -1))) result = `${result.slice(0, -1)}i`;
  result = replaced(replaced(result, SECOND), THIRD);
  const [, start] = FOURTH.exec(result) ?? [];
  if (start !== undefined && measure(start) > 1) result = start;
  if (result.endsWith('e')) {
    const start = result.slice(0, -1);
    if (measure(start) > 1 || (measure(start) === 1 && !SHORT.test(start))) result = start;
  }
  return result.endsWith('ll') && measure(result) > 1 ? result.slice(0, -1) : result;
}
