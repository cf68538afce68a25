// Away, back, on call and why, as people say and hear it in chat.
import type { Ctx } from '../context.ts';
import { invalid } from '../errors.ts';
import { activeTeams } from '../people/members.ts';
import { explainRouting } from './explaining.ts';
import { presenceInput, setPresence } from './presence.ts';
import { readOnCall, teamsWithRota } from './rotas.ts';

const HOURS: Record<string, number> = { m: 1 / 60, h: 1, d: 24, w: 168 };
const LONGEST_HOURS = 24 * 400;

/** `3h`, `2d`, `1w`: then, from now. */
export function untilIn(word: string, now: Date): Date {
  const [, count, unit = ''] = /^(\d{1,4})\s*([mhdw])[a-z]*$/i.exec(word.trim()) ?? [];
  const hours = Number(count) * (HOURS[unit.toLowerCase()] ?? Number.NaN);
  if (hours > 0 && hours <= LONGEST_HOURS) return new Date(now.getTime() + hours * 3_600_000);
  throw invalid('availability.how_long', `“${word}” is no time: say 90m, 3h, 2d or 1w.`);
}

const shown = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** `away`, `away 2d`, `away 2d handover`, `away handover`. */
export async function goAway(ctx: Ctx, words: readonly string[]): Promise<string> {
  const handOver = words.some((word) => /^hand-?over$/i.test(word));
  const [long, ...others] = words.filter((word) => !/^hand-?over$/i.test(word));
  if (others.length)
    throw invalid('availability.words', 'Say: away, how long (2d), and handover or nothing.');
  const given = { away: true, handOver, ...(long ? { until: untilIn(long, ctx.now()) } : {}) };
  const { until, openTickets } = await setPresence(ctx, 'me', presenceInput.parse(given));
  const end = until ? `until ${shown(until)}` : 'until you say that you are back';
  const rest = handOver
    ? 'What you have goes to others.'
    : openTickets
      ? `You keep the ${openTickets} that you have; “away handover” gives them to others.`
      : '';
  return `You are away ${end}: no new tickets for you. ${rest}`.trim();
}

export async function comeBack(ctx: Ctx): Promise<string> {
  const { openTickets } = await setPresence(ctx, 'me', presenceInput.parse({ away: false }));
  return `Welcome back. You have ${openTickets} open ${openTickets === 1 ? 'ticket' : 'tickets'}.`;
}

/** A line for each team that has a rota. */
export async function tellOnCall(ctx: Ctx): Promise<string> {
  const [teams, rotas] = await Promise.all([activeTeams(ctx.actor.company), teamsWithRota(ctx)]);
  const lines: string[] = [];
  for (const { _id, name } of teams) {
    if (!rotas.includes(_id)) continue;
    const { onCall, next } = await readOnCall(ctx, _id, {});
    const then = next && next.userId !== onCall?.userId ? `, then ${next.userName}` : '';
    lines.push(
      onCall
        ? `${name}: ${onCall.userName} until ${shown(onCall.to)}${then}`
        : `${name}: nobody, all of its rota have left`,
    );
  }
  return lines.length ? lines.join('\n') : 'No team has an on-call rota.';
}

export async function tellWhy(ctx: Ctx, ticket: string): Promise<string> {
  const { key, outcome, userName, teamName, why, current } = await explainRouting(ctx, ticket);
  if (current) {
    const because = current.why ? `: ${current.why}` : '.';
    return `${current.userName ?? 'Somebody'} has ${key}${because}`;
  }
  const result = {
    assign: `${key} would go to ${userName}.`,
    team: `${key} would go to ${teamName}.`,
    wait: `${key} would wait.`,
    leave: `${key} would stay where it is.`,
  }[outcome];
  return `${result} ${why}`;
}
