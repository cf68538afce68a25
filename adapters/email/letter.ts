// A message as a letter: subject, plain text and HTML, and the headers by which mail programs thread it, answer it and
// leave it unanswered by machines. Pure. The Message-ID follows from the delivery: sent twice it is one letter.
import MarkdownIt from 'markdown-it';
import type { Delivery } from '../../src/notify/channel.ts';

export interface Letter {
  to: string;
  subject: string;
  text: string;
  html: string;
  messageId: string;
  inReplyTo?: string;
  references: string[];
  headers: Record<string, string>;
}

export interface Paper {
  /** Of our message ids: `mail.example.com`. */
  domain: string;
  /** Where people read a ticket. */
  ticketUrl: (key: string) => string;
  unsubscribeUrl: (person: { kind: string; id: string }) => string;
}

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: true });
const line = (text: string) => text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
const ids = (text: string | undefined) => text?.match(/<[^<>\s]{1,500}>/g) ?? [];

export function letterFor(delivery: Delivery, to: string, paper: Paper): Letter {
  const { message, to: place, kind } = delivery;
  const isNotice = kind === 'notice';
  const root = delivery.ticket ? `<ticket.${delivery.ticket}@${paper.domain}>` : null;
  const before = ids(place.at.references);
  const last = ids(place.at.messageId).at(-1) ?? before.at(-1) ?? root;
  const references = [...new Set([...(root ? [root] : []), ...before, ...(last ? [last] : [])])].slice(-30);
  const subject = line(
    isNotice || !place.at.subject
      ? message.ticket
        ? `[${message.ticket.key}] ${message.ticket.title}`
        : message.title
      : `Re: ${place.at.subject.replace(/^(\s*(re|aw|sv|antw)\s*:\s*)+/i, '')}`,
  ).slice(0, 250);
  const foot = isNotice ? footOf(delivery, paper) : { text: '', html: '' };
  return {
    to,
    subject,
    text: `${isNotice ? noticeText(delivery, paper) : message.text}\n${foot.text}`,
    html: page(isNotice ? noticeHtml(delivery, paper) : markdown.render(message.text), foot.html),
    messageId: `<delivery.${delivery._id}@${paper.domain}>`,
    ...(last ? { inReplyTo: last } : {}),
    references,
    headers: {
      ...(delivery.ticketKey ? { 'X-Switchboard-Ticket': delivery.ticketKey } : {}),
      ...(isNotice ? automatic(delivery, paper) : {}),
    },
  };
}

function automatic({ to }: Delivery, paper: Paper): Record<string, string> {
  return {
    'Auto-Submitted': 'auto-generated',
    'X-Auto-Response-Suppress': 'All',
    Precedence: 'bulk',
    ...(to.person
      ? {
          'List-Unsubscribe': `<${paper.unsubscribeUrl(to.person)}>`,
          'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
        }
      : {}),
  };
}

function noticeText({ message }: Delivery, paper: Paper): string {
  const parts = message.news.map((one) => {
    const head = message.ticket ? '' : `${one.ticket.key}: ${one.ticket.title}\n`;
    return `${head}${one.headline}${one.text ? `:\n\n${one.text}` : '.'}`;
  });
  const { ticket } = message;
  return `${parts.join('\n\n----\n\n')}\n${ticket ? `\n${paper.ticketUrl(ticket.key)}\n` : ''}`;
}

function noticeHtml({ message }: Delivery, paper: Paper): string {
  const link = (key: string, title: string) =>
    `<a href="${escaped(paper.ticketUrl(key))}">${escaped(key)}</a> ${escaped(title)}`;
  const parts = message.news.map((one) => {
    const head = message.ticket ? '' : `<p>${link(one.ticket.key, one.ticket.title)}</p>`;
    return `${head}<p><strong>${escaped(one.headline)}</strong></p>${one.text ? markdown.render(one.text) : ''}`;
  });
  const { ticket } = message;
  return `${ticket ? `<p>${link(ticket.key, ticket.title)}</p>` : ''}${parts.join('<hr>')}`;
}

function footOf({ to }: Delivery, paper: Paper): { text: string; html: string } {
  if (!to.person) return { text: '', html: '' };
  const url = paper.unsubscribeUrl(to.person);
  return {
    text: `\n-- \nNo more of these mails: ${url}\n`,
    html: `<p><small><a href="${escaped(url)}">No more of these mails</a></small></p>`,
  };
}

const page = (body: string, foot: string) =>
  `<!doctype html><html><head><meta charset="utf-8"></head><body style="font-family:sans-serif">${body}${foot}</body></html>`;
