// What a person wants to hear of, by which medium, and when to be left alone. Pure. Quiet hours defer, they never drop:
// what falls into them is told in one digest at their end. A breach, and whoever is on call, is told at once.
import { DateTime, IANAZone } from 'luxon';
import { z } from 'zod';
import { EVENTS, type Event } from './messages.ts';

export const MEDIA = ['in_app', 'email', 'slack', 'discord', 'webhook'] as const;
export type Medium = (typeof MEDIA)[number];

const clock = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as 22:30')
  .meta({ example: '22:30' });
export const zone = z
  .string()
  .max(64)
  .refine((name) => IANAZone.isValidZone(name), 'must be a time zone such as Europe/Berlin');

export const quietHoursShape = z.strictObject({
  from: clock,
  to: clock,
  timeZone: zone.nullable().default(null).meta({ description: "Null: the person's own, else UTC." }),
});
export type QuietHours = z.output<typeof quietHoursShape>;

const choices = z.strictObject(
  Object.fromEntries(MEDIA.map((medium) => [medium, z.boolean().optional()])) as Record<
    Medium,
    z.ZodOptional<z.ZodBoolean>
  >,
);
export type Choices = Partial<Record<Medium, boolean | undefined>>;
const matrixShape = z.strictObject(
  Object.fromEntries(EVENTS.map((event) => [event, choices.optional()])) as Record<
    Event,
    z.ZodOptional<typeof choices>
  >,
);

export const preferencesInput = z.strictObject({
  events: matrixShape.optional(),
  quietHours: quietHoursShape.nullable().optional(),
});
export type PreferencesInput = z.output<typeof preferencesInput>;

export interface Preferences {
  /** Only what the person chose; the rest follows the defaults. */
  events: Partial<Record<Event, Choices | undefined>>;
  quietHours: QuietHours | null;
  /** The link at the foot of a mail was used: no more of them. */
  unsubscribed: boolean;
}
export const NO_PREFERENCES: Preferences = { events: {}, quietHours: null, unsubscribed: false };

/** By default the weighty things leave the house, the rest waits in the list. */
const BY_DEFAULT: Record<Event, readonly Medium[]> = {
  sla_breach: ['in_app', 'email', 'slack', 'discord'],
  mentioned: ['in_app', 'email', 'slack', 'discord'],
  assigned: ['in_app', 'email', 'slack', 'discord'],
  escalated: ['in_app', 'email', 'slack', 'discord'],
  alert: ['in_app', 'email', 'slack', 'discord'],
  sla_warning: ['in_app', 'slack', 'discord'],
  reply: ['in_app', 'email'],
  note: ['in_app'],
  created: ['in_app'],
  status: ['in_app'],
  feedback: ['in_app'],
  delivery_failed: ['in_app'],
  updated: ['in_app'],
};
/** The one who asked is not a member of the desk: they are told where they are. */
const REQUESTER_DEFAULT: Partial<Record<Event, readonly Medium[]>> = {
  created: ['in_app', 'email', 'slack', 'discord'],
  reply: ['in_app', 'email', 'slack', 'discord'],
  status: ['in_app', 'email', 'slack', 'discord'],
};

export function mediaFor(
  { events, unsubscribed }: Preferences,
  event: Event,
  { isRequester = false }: { isRequester?: boolean } = {},
): Medium[] {
  const usual = (isRequester ? REQUESTER_DEFAULT[event] : undefined) ?? BY_DEFAULT[event];
  return MEDIA.filter((medium) => {
    if (medium === 'email' && unsubscribed) return false;
    return events[event]?.[medium] ?? usual.includes(medium);
  });
}

/** The whole matrix as it stands: choices over defaults. */
export const matrix = (preferences: Preferences): Record<Event, Record<Medium, boolean>> =>
  Object.fromEntries(
    EVENTS.map((event) => {
      const chosen = mediaFor(preferences, event);
      return [event, Object.fromEntries(MEDIA.map((medium) => [medium, chosen.includes(medium)]))];
    }),
  ) as Record<Event, Record<Medium, boolean>>;

/** The end of the quiet hours that `now` falls into; null when it falls into none. Both ends are wall-clock times. */
export function quietUntil(quiet: QuietHours | null, own: string | null, now: Date): Date | null {
  if (!quiet || quiet.from === quiet.to) return null;
  const local = DateTime.fromJSDate(now, { zone: quiet.timeZone ?? own ?? 'utc' });
  if (!local.isValid) return null;
  const word = local.toFormat('HH:mm');
  const overnight = quiet.from > quiet.to;
  const inside = overnight ? word >= quiet.from || word < quiet.to : word >= quiet.from && word < quiet.to;
  if (!inside) return null;
  const [hour, minute] = quiet.to.split(':').map(Number);
  const end = local.set({ hour: hour ?? 0, minute: minute ?? 0, second: 0, millisecond: 0 });
  const ahead =
    end <= local
      ? local.plus({ days: 1 }).set({ hour: hour ?? 0, minute: minute ?? 0, second: 0, millisecond: 0 })
      : end;
  return ahead.toJSDate();
}

/** Told at once, quiet hours or not. */
export const overridesQuiet = (event: Event, onCall: boolean): boolean => event === 'sla_breach' || onCall;
/** Not held back to be bundled with what else happens on the ticket. */
export const isUrgent = (event: Event): boolean => event === 'sla_breach' || event === 'escalated';
