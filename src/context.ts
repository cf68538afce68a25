// Who is acting, through what, at what time. Every verb takes it first.
import type { Logger } from './log.ts';
import type { Role, Scope } from './people/access.ts';

export const VIAS = [
  'api',
  'console',
  'slack',
  'discord',
  'email',
  'webhook',
  'import',
  'automation',
  'system',
] as const;
export type Via = (typeof VIAS)[number];

export interface Actor {
  /** A user signs in; a contact writes in and never signs in; the system is Switchboard itself. */
  readonly kind: 'user' | 'contact' | 'system';
  readonly id: string;
  readonly name: string;
  readonly company: string;
  readonly role: Role;
  readonly teams: readonly string[];
  /** An API key may be narrower than its owner. Absent: all that the role may do. */
  readonly scopes?: readonly Scope[];
  /** An administrator of the first company looks after the installation: may open other companies. */
  readonly operator?: boolean;
}

export interface Ctx {
  readonly actor: Actor;
  readonly via: Via;
  readonly now: () => Date;
  readonly log: Logger;
  readonly request: string;
  /** The key of the message that caused this (once.ts). The same cause changes a ticket at most once. */
  readonly cause?: string;
  /** The cause may have had its effect already: look before you write. */
  readonly redo?: boolean;
}

/** For what looks at how things stand before it writes, and may rightly be written again under one cause. */
export function withoutCause({ cause: _, redo: __, ...ctx }: Ctx): Ctx {
  return ctx;
}

/** Switchboard itself, acting for a company. */
export function systemCtx(
  base: { log: Logger; now?: () => Date; request?: string },
  company: string,
  via: Via = 'system',
): Ctx {
  return {
    actor: { kind: 'system', id: 'system', name: 'Switchboard', company, role: 'admin', teams: [] },
    via,
    now: base.now ?? (() => new Date()),
    log: base.log,
    request: base.request ?? 'system',
  };
}
