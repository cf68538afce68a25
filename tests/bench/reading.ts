// How lists and searches are among very many tickets: P5 and P6 beside a desk of a thousand, P7 word by word.
import { type Desk, median, say } from './stand.ts';

/** Rare, common, in every ticket; alone, together, in either order; what is last may be the beginning of a word. */
const SEARCHES: readonly [string, string][] = [
  ['of one ticket', 'OLD-12345'],
  ['by its key', 'TKT-012345'],
  ['a number', '012345'],
  ['rare', 'customer777'],
  ['common', 'invoice'],
  ['in every ticket', 'month'],
  ['a beginning of a rare one', 'customer77'],
  ['a beginning of many', 'cust'],
  ['one letter', 'm'],
  ['one letter, in every key', 't'],
  ['two common', 'invoice month'],
  ['common and a half', 'invoice north'],
  ['two that never meet', 'invoice vpn'],
  ['two halves that never meet', 'north south'],
  ['three that never meet', 'month north south'],
  ['in every ticket, and rare', 'month customer777'],
  ['rare, and in every ticket', 'customer777 month'],
  ['in every ticket, and a number', 'month 012345'],
  ['a number, and in every ticket', '012345 month'],
  ['key, and in every ticket', 'TKT-012345 month'],
  ['in every ticket, and key', 'month TKT-012345'],
  ['in every ticket, and a beginning', 'month customer77'],
  ['in every ticket, and a beginning of all', 'month cust'],
  ['beginning of a number, beside all', 'month 0123'],
  ['one letter beside all', 'month c'],
  ['one letter beside rare', 'customer777 m'],
  ['like a phrase', 'blocks our month end'],
  ['a sentence', 'The invoice does not load since this morning'],
  ['tag and word', 'vip invoice'],
  ['tag and rare', 'vip customer777'],
  ['common, and none', 'month zeppelin'],
  ['none, and common', 'zeppelin month'],
];

const LONG_ENOUGH_MS = 3_000;

/** Median and 95th percentile of one question asked again and again, in ms. */
async function asked(
  { url, token }: Desk,
  query: string,
  times = 100,
): Promise<{ p50: number; p95: number }> {
  const spent: number[] = [];
  const until = performance.now() + LONG_ENOUGH_MS;
  for (let time = 0; time < times && (time < 2 || performance.now() < until); time++) {
    const started = performance.now();
    const answer = await fetch(`${url}/api/v1/tickets?${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`${query}: ${answer.status}`);
    spent.push(performance.now() - started);
  }
  spent.sort((a, b) => a - b);
  return { p50: median(spent), p95: spent[Math.floor(spent.length * 0.95)] ?? 0 };
}

/** P5 to P7 on what was brought in. */
export async function reading(large: Desk, small: Desk, count: number): Promise<void> {
  const list = 'status=new&page_size=50';
  const ratios: number[] = [];
  for (let round = 0; round < 6; round++) {
    const [a, b, c, d] = [
      await asked(small, list),
      await asked(large, list),
      await asked(large, list),
      await asked(small, list),
    ];
    if (round) ratios.push((b.p50 + c.p50) / (a.p50 + d.p50));
  }
  say(
    `P5 list 50, p50 at ${count} / at 1,000: ${median(ratios).toFixed(2)} (bar <= 1.5); ${ratios.map((one) => one.toFixed(2)).join(' ')}`,
  );
  const headers = { authorization: `Bearer ${large.token}` };
  const times: number[] = [];
  for (let page = 0, cursor = ''; page < 1_000; page++) {
    const started = performance.now();
    const answer = await fetch(`${large.url}/api/v1/tickets?page_size=50${cursor}`, { headers });
    const { next_cursor: next } = (await answer.json()) as { next_cursor: string };
    times.push(performance.now() - started);
    if (!next) break;
    cursor = `&cursor=${next}`;
  }
  const [first, last] = [median(times.slice(1, 21)), median(times.slice(-20))];
  say(
    `P6 page ${times.length} / page 1: ${(last / first).toFixed(2)} (bar <= 1.3); ${last.toFixed(2)} / ${first.toFixed(2)} ms`,
  );
  await searching(large);
}

export async function searching(desk: Desk): Promise<void> {
  let worst = { kind: '', p95: 0 };
  for (const [kind, q] of SEARCHES) {
    const { p50, p95 } = await asked(desk, `q=${encodeURIComponent(q)}&page_size=50`, 10);
    say(`P7 search, ${kind} ("${q}"): p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)} ms`);
    if (p95 > worst.p95) worst = { kind, p95 };
  }
  say(`P7 worst: ${worst.kind}, p95 ${worst.p95.toFixed(0)} ms (bars: rare <= 50, any <= 500)`);
}
