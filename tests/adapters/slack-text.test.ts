import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toMarkdown, toSlack } from '../../adapters/slack/mrkdwn.ts';
import { clip, escaped, link, split } from '../../adapters/slack/text.ts';

describe('what a user wrote stays what a user wrote', () => {
  test.each([
    ['<!channel> fire', '&lt;!channel&gt; fire'],
    ['<@U123> and <#C1>', '&lt;@U123&gt; and &lt;#C1&gt;'],
    ['<https://evil.example|bank>', '&lt;https://evil.example|bank&gt;'],
    ['[x](javascript:alert(1))', '[x](javascript:alert(1))'],
    ['a & b', 'a &amp; b'],
    ['abc\u202Egpj.exe', 'abcgpj.exe'],
    ['[<!here>](https://a.example)', '<https://a.example|&lt;!here&gt;>'],
  ])('%s', (given, wanted) => {
    expect(toSlack(given)).toBe(wanted);
  });

  test('a link whose label claims another place shows where it goes', () => {
    expect(toSlack('[https://bank.example](https://evil.example/x)')).toBe(
      'https://bank.example (<https://evil.example/x>)',
    );
    expect(toSlack('[docs.bank.example](https://docs.bank.example/a)')).toBe(
      '<https://docs.bank.example/a|docs.bank.example>',
    );
    expect(link('https://a.example', 'a | b')).toBe('<https://a.example|a ¦ b>');
  });

  test('no text whatever makes a mention or a special command', () => {
    const nasty = fc
      .array(
        fc
          .constantFrom(
            '<',
            '>',
            '!',
            '@',
            '#',
            '|',
            '&',
            '`',
            '*',
            '_',
            '~',
            '[',
            ']',
            '(',
            ')',
            '\n',
            ' ',
            '\\',
          )
          .chain((sign) =>
            fc.constantFrom(sign, `${sign}channel`, `${sign}U123`, 'https://a.example', '&lt;'),
          ),
        { maxLength: 30 },
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(nasty, (text) => {
        for (const sequence of toSlack(text).match(/<[^>]*>/g) ?? [])
          expect(sequence).toMatch(/^<(https?|mailto):[^\s|<>]*(\|[^<>]*)?>$/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('Markdown to mrkdwn and back', () => {
  test.each([
    ['**bold** and *italic* and ~~gone~~', '*bold* and _italic_ and ~gone~'],
    ['`a < b`', '`a &lt; b`'],
    ['- one\n- two', '• one\n• two'],
    ['1. one\n2. two', '1. one\n2. two'],
    ['> quoted\n> twice', '> quoted\n> twice'],
    ['```\nif (a && b) <c>\n```', '```\nif (a &amp;&amp; b) &lt;c&gt;\n```'],
    ['[here](https://a.example/x?y=1&z=2)', '<https://a.example/x?y=1&amp;z=2|here>'],
    ['one\ntwo\n\nthree', 'one\ntwo\n\nthree'],
    ['pre**fix**ed', 'pre\u200b*fix*\u200bed'],
    ['**bold *both* bold**', '*bold _both_ bold*'],
  ])('%s', (md, mrkdwn) => {
    expect(toSlack(md)).toBe(mrkdwn);
    expect(toMarkdown(mrkdwn)).toBe(md);
  });

  test('headings become bold lines', () => {
    expect(toSlack('# Title\n\nText')).toBe('*Title*\n\nText');
  });

  test("Slack's own sequences become words", () => {
    const names = { user: (id: string) => (id === 'U1' ? 'Mei Lin' : undefined) };
    expect(toMarkdown('<@U1> saw <#C9|general> at <https://a.example|the page> <!here>', names)).toBe(
      '@Mei Lin saw #general at [the page](https://a.example) @here',
    );
    expect(toMarkdown('write <mailto:a@b.example|a@b.example> &lt;now&gt;')).toBe('write a@b.example <now>');
    expect(toMarkdown('my_var_name and 2*3*4')).toBe('my_var_name and 2\\*3\\*4');
  });

  test('common marks survive the round trip, whatever they hold', () => {
    const word = fc.stringMatching(/^[A-Za-zäöß0-9]{1,8}$/);
    const words = fc.array(word, { minLength: 1, maxLength: 4 }).map((list) => list.join(' '));
    const piece = fc.oneof(
      words,
      words.map((text) => `**${text}**`),
      words.map((text) => `*${text}*`),
      words.map((text) => `~~${text}~~`),
      words.map((text) => `\`${text} <&> x\``),
      words.map((text) => `[${text}](https://a.example/${text.length}?a=1&b=2)`),
      words.map((text) => `**very *${text}* so**`),
    );
    const line = fc.array(piece, { minLength: 1, maxLength: 5 }).map((list) => list.join(' '));
    const block = fc.oneof(
      line,
      fc.array(line, { minLength: 1, maxLength: 3 }).map((list) => list.map((one) => `- ${one}`).join('\n')),
      fc.array(line, { minLength: 1, maxLength: 3 }).map((list) => list.map((one) => `> ${one}`).join('\n')),
      line.map((text) => `\`\`\`\n${text}\n\`\`\``),
    );
    const document = fc
      .array(block, { minLength: 1, maxLength: 4 })
      // Two lists or two quotes with an empty line between are one to Markdown.
      .map((blocks) => blocks.flatMap((one, i) => (i ? ['between', one] : [one])).join('\n\n'));
    fc.assert(
      fc.property(document, (text) => expect(toMarkdown(toSlack(text))).toBe(text)),
      { numRuns: 500 },
    );
  });
});

describe('long text', () => {
  test('is cut at a whole entity, link and character', () => {
    expect(clip(`${'a'.repeat(90)}&amp;${'b'.repeat(50)}`, 99)).not.toMatch(/&[a-z]*…/);
    expect(clip(`${'a'.repeat(80)}<https://a.example|label>`, 100)).not.toContain('<');
    expect(clip(`\`\`\`\n${'x'.repeat(200)}`, 100)).toMatch(/```$/);
  });

  test('is split into pieces that fit and that say the same together', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 400 }), { maxLength: 60 }), (list) => {
        const text = escaped(list.join('\n'));
        const pieces = split(text, 1000);
        for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(1000);
        const bare = (s: string): string => s.replace(/[\s`]/g, '');
        expect(bare(pieces.join(''))).toBe(bare(text));
      }),
      { numRuns: 200 },
    );
  });
});
