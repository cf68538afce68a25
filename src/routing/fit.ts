// Which team's description fits a ticket best, by their words and nothing else. Pure. It says which words spoke for the
// team, and abstains when nothing speaks, or too much for another.
import { searchWords } from '../tickets/ticket.ts';

export interface Described {
  id: string;
  name: string;
  category: string | null;
  description: string;
}

export interface Fit {
  /** Null: no team fits. */
  team: string | null;
  /** Which share of all recognised words speaks for the best one. */
  share: number;
  words: string[];
  why: string;
}

const COMMON = new Set(
  (
    'a an and any are as at be but by can could did do does else for from get got had has have hello help hi how i if in into is it ' +
    'its just me my need needs no not of on one or our out please so some such thank thanks that the their them then there these ' +
    'they this those to too up us use very want was we what when where which who why will with would you your all about also other ' +
    'agent ask customer desk handle issue people problem question request support take team thing ticket user work everything ' +
    'anything something new der die das und oder ein eine ist im in mit fur von zu auf den dem des nicht ich wir sie es bitte hilfe'
  ).split(' '),
);

/** Words as they count: without endings, so that refunds, refunded and refund are one. */
export function stem(word: string): string {
  const cut = word
    .replace(/ies$/, 'y')
    .replace(/(?<=.{3}[^su])s$/, '')
    .replace(/(?<=.{3})(ing|ed)$/, '');
  return cut.length > 4 ? cut.replace(/e$/, '') : cut;
}

/** Stem to the word as it was written. */
function wordsOf(texts: readonly (string | null)[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const word of searchWords(texts)) {
    const root = stem(word);
    if (word.length > 1 && !COMMON.has(word) && !COMMON.has(root) && !found.has(root)) found.set(root, word);
  }
  return found;
}

const TITLE_COUNTS = 2;
const percent = (share: number): string => `${Math.round(share * 100)} %`;

export function fitOf(
  ticket: { title: string; description: string; category: string | null },
  teams: readonly Described[],
  least: number,
): Fit {
  const title = wordsOf([ticket.title, ticket.category]);
  const all = new Map([...wordsOf([ticket.description]), ...title]);
  const known = teams.map((team) => ({
    team,
    roots: new Set(wordsOf([team.name, team.category, team.description]).keys()),
  }));
  const rarity = new Map<string, number>();
  for (const root of all.keys()) {
    const having = known.filter(({ roots }) => roots.has(root)).length;
    if (having) rarity.set(root, Math.log(1 + teams.length / having) * (title.has(root) ? TITLE_COUNTS : 1));
  }
  const scored = known
    .map(({ team, roots }) => {
      const own = [...rarity.keys()].filter((root) => roots.has(root));
      return { team, own, score: own.reduce((sum, root) => sum + (rarity.get(root) ?? 0), 0) };
    })
    .sort((a, b) => b.score - a.score);
  const [best, second] = scored;
  const total = [...rarity.values()].reduce((sum, one) => sum + one, 0);
  if (!best || best.score === 0)
    return { team: null, share: 0, words: [], why: 'No word of it stands in the description of a team.' };
  const words = best.own.map((root) => all.get(root) ?? root);
  const share = best.score / total;
  const said = `${best.team.name} by ${words.slice(0, 6).join(', ')} (${percent(share)})`;
  const rival = second?.score ? `, ${second.team.name} ${percent(second.score / total)}` : '';
  if (second && second.score === best.score)
    return { team: null, share, words, why: `${best.team.name} and ${second.team.name} fit alike.` };
  if (share < least) return { team: null, share, words, why: `No team fits well enough: ${said}${rival}.` };
  if (words.length < 2 && !best.own.some((root) => title.has(root)))
    return { team: null, share, words, why: `One word in passing is not enough: ${said}.` };
  return { team: best.team.id, share, words, why: `Fits best: ${said}${rival}.` };
}
