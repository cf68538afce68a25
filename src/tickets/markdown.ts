// Markdown in, safe HTML out: for every place that shows a comment or a description as a page. Raw HTML in the text is
// text; what the parser makes of the rest is filtered once more.
import MarkdownIt from 'markdown-it';
import sanitize from 'sanitize-html';

const parser = new MarkdownIt({ html: false, linkify: true, breaks: true, maxNesting: 20 });

const SAFE: sanitize.IOptions = {
  allowedTags: [
    ...['p', 'br', 'hr', 'em', 'strong', 's', 'code', 'pre', 'blockquote', 'ul', 'ol', 'li', 'a'],
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'table', 'thead', 'tbody', 'tr', 'th', 'td'],
  ],
  allowedAttributes: { a: ['href', 'title', 'rel'], ol: ['start'], code: ['class'] },
  allowedClasses: { code: ['language-*'] },
  allowedSchemes: ['http', 'https', 'mailto'],
  allowProtocolRelative: false,
  transformTags: { a: sanitize.simpleTransform('a', { rel: 'noopener noreferrer nofollow' }) },
};

/** Longer texts are pasted logs, or made to keep us busy: they are shown as they are. */
const LONGEST_PARSED = 20_000;

export function toHtml(markdown: string): string {
  if (markdown.length > LONGEST_PARSED) return `<pre>${parser.utils.escapeHtml(markdown)}</pre>`;
  return sanitize(parser.render(markdown), SAFE).trim();
}
