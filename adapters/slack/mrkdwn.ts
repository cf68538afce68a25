// Markdown, which the desk keeps, to Slack's mrkdwn and back. What a user wrote never becomes a control sequence.
import MarkdownIt from 'markdown-it';
import { clean, escaped, link, unescaped } from './text.ts';

const markdown = new MarkdownIt('commonmark', { html: false }).enable('strikethrough').disable('autolink');
type Token = ReturnType<typeof markdown.parse>[number];
const GAP = '\u200b'; // Slack wants a border around its marks; this one is invisible and is dropped on the way back

const wordy = (char: string | undefined): boolean => char !== undefined && /[\p{L}\p{N}_]/u.test(char);

/** Joins a mark to its neighbours so that Slack sees its borders. */
function joined(parts: { text: string; mark: boolean }[]): string {
  let out = '';
  let afterMark = false;
  for (const { text, mark } of parts) {
    if (!text) continue;
    const needsGap = (mark && wordy(out.at(-1))) || (afterMark && (wordy(text[0]) || mark));
    out += (needsGap ? GAP : '') + text;
    afterMark = mark;
  }
  return out;
}

const MARKS: Record<string, string> = { strong: '*', em: '_', s: '~' };

function inline(tokens: Token[]): string {
  const stack: { parts: { text: string; mark: boolean }[]; href?: string; plain: string }[] = [
    { parts: [], plain: '' },
  ];
  const top = (): (typeof stack)[number] => stack.at(-1) ?? { parts: [], plain: '' };
  const add = (text: string, plain: string, mark = false): void => {
    top().parts.push({ text, mark });
    top().plain += plain;
  };
  for (const token of tokens) {
    const name = token.type.replace(/_(open|close)$/, '');
    const mark = MARKS[name];
    if (token.type === 'text') add(escaped(token.content), token.content);
    else if (token.type === 'softbreak' || token.type === 'hardbreak') add('\n', '\n');
    else if (token.type === 'code_inline') add(`\`${escaped(token.content)}\``, token.content, true);
    else if (token.type === 'image')
      add(link(String(token.attrGet('src') ?? ''), token.content || 'image'), token.content, true);
    else if (token.nesting === 1 && mark) stack.push({ parts: [], plain: '' });
    else if (token.type === 'link_open')
      stack.push({ parts: [], plain: '', href: String(token.attrGet('href') ?? '') });
    else if (token.nesting === -1) {
      const done = stack.pop();
      if (!done) continue;
      // The label of a link is plain text: marks inside it could hide what it says.
      if (done.href !== undefined) add(link(done.href, done.plain), done.plain, true);
      else {
        const body = joined(done.parts);
        add(body.trim() ? `${mark}${body}${mark}` : body, done.plain, true);
      }
    } else add(escaped(token.content), token.content);
  }
  return joined(top().parts);
}

const fence = (content: string): string =>
  `\`\`\`\n${escaped(content).replaceAll('```', `\`\`${GAP}\``).replace(/\n$/, '')}\n\`\`\``;

/** Markdown in, mrkdwn out. */
export function toSlack(text: string): string {
  const lines: string[] = [];
  const lists: { ordered: boolean; count: number }[] = [];
  const quotes: number[] = [];
  let bullet = '';
  const put = (content: string): void => {
    const indent = '    '.repeat(Math.max(0, lists.length - 1));
    const [first = '', ...rest] = content.split('\n');
    const hang = lists.length ? `${indent}${' '.repeat(bullet ? bullet.length : 2)}` : '';
    const own = [
      `${lists.length && bullet ? indent + bullet : hang}${first}`,
      ...rest.map((line) => hang + line),
    ];
    bullet = '';
    lines.push(...own.map((line) => '> '.repeat(quotes.length ? 1 : 0) + line));
  };
  const gap = (): void => {
    if (
      lists.length === 0 &&
      lines.length &&
      lines.at(-1) !== '' &&
      !(quotes.length && lines.at(-1) === '> ')
    )
      lines.push(quotes.length ? '> ' : '');
  };
  for (const token of markdown.parse(clean(text), {})) {
    switch (token.type) {
      case 'paragraph_open':
      case 'heading_open':
      case 'fence':
      case 'code_block':
      case 'hr':
        gap();
        if (token.type === 'fence' || token.type === 'code_block') put(fence(token.content));
        if (token.type === 'hr') put('———');
        break;
      case 'inline': {
        const content = inline(token.children ?? []);
        put(token.map && headingAt(token) ? `*${content.replaceAll('*', '')}*` : content);
        break;
      }
      case 'bullet_list_open':
      case 'ordered_list_open':
        gap();
        lists.push({
          ordered: token.type === 'ordered_list_open',
          count: Number(token.attrGet('start') ?? 1) - 1,
        });
        break;
      case 'bullet_list_close':
      case 'ordered_list_close':
        lists.pop();
        break;
      case 'list_item_open': {
        const list = lists.at(-1);
        if (!list) break;
        list.count += 1;
        bullet = list.ordered ? `${list.count}. ` : '• ';
        break;
      }
      case 'blockquote_open':
        gap();
        quotes.push(1);
        break;
      case 'blockquote_close':
        quotes.pop();
        break;
      default:
        break;
    }
  }
  return lines.join('\n');

  function headingAt(token: Token): boolean {
    return token.level === 1 && /^#{1,6}\s/.test(text.split('\n')[token.map?.[0] ?? 0] ?? '');
  }
}

export interface Names {
  /** What a Slack user is called; undefined leaves the id out of the text. */
  user: (id: string) => string | undefined;
}

function control(body: string, names: Names): string {
  const bar = body.indexOf('|');
  const target = bar < 0 ? body : body.slice(0, bar);
  const label = bar < 0 ? undefined : unescaped(body.slice(bar + 1));
  if (target.startsWith('@')) return `@${names.user(target.slice(1)) ?? label ?? 'someone'}`;
  if (target.startsWith('#')) return `#${label || 'channel'}`;
  if (target.startsWith('!subteam')) return label || '@group';
  if (target.startsWith('!date')) return label ?? '';
  if (target.startsWith('!')) return `@${(label ?? target.slice(1)).replace(/^@/, '')}`;
  const address = unescaped(target);
  if (!/^[a-z][a-z0-9+.-]*:/i.test(address)) return literal(`<${unescaped(body)}>`);
  if (address.startsWith('mailto:') && (label === undefined || address === `mailto:${label}`))
    return address.slice('mailto:'.length);
  if (label === undefined || label === address) return address;
  return `[${label.replace(/([\\[\]])/g, '\\$1')}](${address.replaceAll(')', '%29').replaceAll(' ', '%20')})`;
}

/** What would be a mark in Markdown and was none in Slack. */
const literal = (text: string): string =>
  text
    .replace(/\\(?=[!-/:-@[-`{-~])/g, '\\\\')
    .replace(/\*/g, '\\*')
    .replace(/(?<![\p{L}\p{N}_])_(?=\S)|(?<=\S)_(?![\p{L}\p{N}_])/gu, '\\_')
    .replace(/~~/g, '\\~\\~')
    .replace(/\[(?=[^\]]*\]\()/g, '\\[');

const EDGE_BEFORE = '(?<![\\p{L}\\p{N}_*~`])';
const EDGE_AFTER = '(?![\\p{L}\\p{N}_*~`])';
const MARK = new RegExp(
  `\`(?<code>[^\`\\n]+)\`|<(?<control>[^<>\\n]+)>|` +
    [
      ['bold', '\\*', '*'],
      ['italic', '_', '_'],
      ['strike', '~', '~'],
    ]
      .map(
        ([name, sign, raw]) =>
          `${EDGE_BEFORE}${sign}(?<${name}>[^\\s${raw}](?:[^\\n${raw}]*[^\\s${raw}])?)${sign}${EDGE_AFTER}`,
      )
      .join('|'),
  'gu',
);

function inlineBack(text: string, names: Names): string {
  let out = '';
  let at = 0;
  for (const match of text.matchAll(MARK)) {
    out += literal(unescaped(text.slice(at, match.index)));
    const { code, control: body, bold, italic, strike } = match.groups ?? {};
    if (code !== undefined) out += `\`${unescaped(code)}\``;
    else if (body !== undefined) out += control(body, names);
    else if (bold !== undefined) out += `**${inlineBack(bold, names)}**`;
    else if (italic !== undefined) out += `*${inlineBack(italic, names)}*`;
    else if (strike !== undefined) out += `~~${inlineBack(strike, names)}~~`;
    at = match.index + match[0].length;
  }
  return out + literal(unescaped(text.slice(at)));
}

function lineBack(line: string, names: Names): string {
  const quoted = /^(?:&gt;|>) ?/.exec(line);
  if (quoted) return `> ${lineBack(line.slice(quoted[0].length), names)}`.trimEnd();
  const item = /^(\s*)(?:[•◦▪]) /.exec(line);
  if (item) return `${item[1]?.replaceAll('    ', '  ')}- ${inlineBack(line.slice(item[0].length), names)}`;
  if (line === '———') return '---';
  return inlineBack(line, names).replace(/^(#{1,6}\s)/, '\\$1');
}

/** mrkdwn in, Markdown out. */
export function toMarkdown(text: string, names: Names = { user: () => undefined }): string {
  const parts = text.split('```');
  return parts
    .map((part, index) => {
      if (index % 2 === 1 && index < parts.length - 1) {
        const code = unescaped(part)
          .replaceAll(GAP, '')
          .replace(/^\n|\n$/g, '');
        return `\`\`\`\n${code}\n\`\`\``;
      }
      return part
        .split('\n')
        .map((line) => lineBack(line, names).replaceAll(GAP, ''))
        .join('\n');
    })
    .join('');
}
