// `/ticket` and what follows it: parsed by the desk's one table, answered to the one who asked.
import { type Answer, COMMANDS, helpText, parse, type Saying } from '../../src/commands.ts';
import { invalid } from '../../src/errors.ts';
import { atLeast } from '../../src/people/access.ts';
import { confirmLink, startLink } from '../../src/people/identities.ts';
import { type Drawing, listOf, requesterCard, triageCard, saying as words } from './blocks.ts';
import type { Call } from './call.ts';
import { context, section } from './elements.ts';
import { factsOf, factsOfAll } from './facts.ts';
import type { Host } from './host.ts';
import { toMarkdown } from './mrkdwn.ts';
import { profile } from './profiles.ts';
import { escaped } from './text.ts';
import { namesIn, whoIs } from './who.ts';

/** Does this open the form for a new ticket? Then nothing is stored: Slack allows three seconds for it. */
export const isForm = (text: string): boolean => 'title' in parse(text);
export const titleIn = (text: string): string => {
  const parsed = parse(text);
  return 'title' in parsed ? unescapedText(parsed.title) : '';
};
/** What Slack escaped in the text of a command. */
const unescapedText = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** `<@U123|mei>`, or `me`: a user of the desk. */
export async function personIn(call: Pick<Call, 'host' | 'room' | 'ctx'>, word: string): Promise<string> {
  if (word.toLowerCase() === 'me') return call.ctx.actor.id;
  const id = /^<@([A-Z0-9]+)(?:\|[^>]*)?>$/.exec(word)?.[1];
  if (!id) throw invalid('command.person', 'Say who as a mention: @name.');
  const actor = await whoIs(call.host, call.room, id);
  if (actor.kind !== 'user' || !atLeast(actor.role, 'agent'))
    throw invalid('command.person', `${actor.name} is not an agent here.`);
  return actor.id;
}

async function prove(call: Call, code: string | undefined): Promise<string> {
  const { name } = await profile(call.host, call.room, call.user);
  const external = {
    provider: 'slack',
    workspace: call.room.workspace.external,
    externalId: call.user,
    name,
  };
  if (code === undefined) {
    const made = await startLink(call.ctx, external);
    return `Sign in to Switchboard and enter \`${made.code}\` among your linked accounts. It is good for ten minutes, and only you see it.`;
  }
  const actor = await confirmLink(call.ctx, external, code);
  return `This Slack account is yours now, ${actor.name}.`;
}

export async function answerCommand(call: Call, call_: { command: string; text: string }): Promise<void> {
  const parsed = parse(call_.text);
  if ('title' in parsed) return;
  const { ids, user } = await namesIn(call.host, call.room, call_.text);
  const given = Object.fromEntries(
    Object.entries(parsed.given).map(([name, value]) => [
      name,
      // Words become Markdown; a person stays a mention, to be looked up.
      value && !(name === 'person' && ids.length) ? toMarkdown(value, { user }) : value,
    ]),
  );
  const saying: Saying = {
    ctx: call.ctx,
    desk: call.where.desk,
    person: (word) => personIn(call, word),
    prove: (code) => prove(call, code),
  };
  const answer = await parsed.command.run(saying, given);
  await call.tell(await drawAnswer(call.host, answer, call_.command, atLeast(call.ctx.actor.role, 'agent')));
}

async function drawAnswer(host: Host, answer: Answer, command: string, isAgent: boolean): Promise<Drawing> {
  switch (answer.kind) {
    case 'ticket': {
      const facts = await factsOf(host, answer.ticket);
      const card = isAgent ? triageCard(facts) : requesterCard(facts, answer.words || 'Your request');
      if (!answer.words || !isAgent) return card;
      return {
        text: escaped(answer.words),
        blocks: [
          section(`:white_check_mark: ${escaped(answer.words)}`),
          context(
            `<${facts.url}|${facts.key}>  ·  ${escaped(facts.title.slice(0, 200))}  ·  ${escaped(facts.status.label)}`,
          ),
        ],
      };
    }
    case 'list':
      return listOf(answer.title, await factsOfAll(host, answer.tickets), answer.total);
    case 'words':
      return words(answer.text);
    case 'help':
      return words(helpText(command, isAgent));
    default:
      return answer satisfies never;
  }
}

/** For the manifest: how the command is used. */
export const usageHint = (): string => `[title] | ${COMMANDS.map(({ word }) => word).join(' | ')}`;
