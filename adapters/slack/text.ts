// Text as Slack takes it: `& < >` leave as entities, unseen characters do not leave at all, a link whose label names
// another place shows where it goes, and what is too long is cut where it does no harm.

// Bidirectional overrides turn `gpj.exe` into `exe.jpg`; the rest are controls that no message needs.
// biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the point
const UNSEEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u202a-\u202e\u2066-\u2069\ufeff]/g;

export const clean = (text: string): string => text.replace(UNSEEN, '').replaceAll('\r\n', '\n');

export const escaped = (text: string): string =>
  clean(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export const unescaped = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

const hostOf = (address: string): string | undefined => {
  try {
    return new URL(address).host.toLowerCase().replace(/^www\./, '');
  } catch {
    return undefined;
  }
};

/** `<address|label>`, or plain text when the address is nothing to click on or the label claims another place. */
export function link(address: string, label: string): string {
  if (!/^(https?|mailto):/i.test(address) || /[\s|<>]/.test(address)) return escaped(label);
  const shown = clean(label).replaceAll('|', '¦');
  const claimed = /([a-z0-9-]+\.)+[a-z]{2,}/i
    .exec(shown)?.[0]
    ?.toLowerCase()
    .replace(/^www\./, '');
  const host = hostOf(address);
  const honest = !claimed || /^mailto:/i.test(address) || host === claimed || host?.endsWith(`.${claimed}`);
  if (!honest) return `${escaped(shown)} (<${escaped(address)}>)`;
  return shown === address || !shown.trim()
    ? `<${escaped(address)}>`
    : `<${escaped(address)}|${escaped(shown)}>`;
}

/** Cuts mrkdwn without leaving half an entity, half a link or an open code block behind. */
export function clip(text: string, most: number): string {
  if (text.length <= most) return text;
  let cut = text.slice(0, most - 6);
  const open = Math.max(cut.lastIndexOf('<'), -1);
  if (open > cut.lastIndexOf('>')) cut = cut.slice(0, open);
  cut = cut.replace(/&[a-z]{0,3}$/, '').replace(/[\ud800-\udbff]$/, '');
  const fences = cut.split('```').length - 1;
  return `${cut}…${fences % 2 ? '\n```' : ''}`;
}

/** Cuts plain text at a whole character. */
export function clipPlain(text: string, most: number): string {
  const one = clean(text).replace(/\s+/g, ' ').trim();
  if (one.length <= most) return one;
  return `${one.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** Splits mrkdwn into pieces that Slack takes, at line ends where there are any; code blocks stay code. */
export function split(text: string, most = 2900): string[] {
  const pieces: string[] = [];
  let piece = '';
  let inCode = false;
  const flush = (): void => {
    if (piece.trim()) pieces.push(inCode ? `${piece}\n\`\`\`` : piece);
    piece = inCode ? '```' : '';
  };
  for (const line of text.split('\n')) {
    let rest = line;
    while (piece.length + rest.length + 8 > most) {
      const room = most - piece.length - 8;
      if (room < most / 2) {
        flush();
        continue;
      }
      const cut = clip(rest, room).replace(/…(\n```)?$/, '');
      piece += (piece ? '\n' : '') + cut;
      rest = rest.slice(cut.length);
      flush();
    }
    piece += (piece ? '\n' : '') + rest;
    if ((line.split('```').length - 1) % 2) inCode = !inCode;
  }
  if (piece.trim()) pieces.push(piece);
  return pieces;
}
