// What a person chose to hear, and choosing it.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { forgetPreferences, preferenceKey, preferencesFor } from './audience.ts';
import { EVENTS } from './messages.ts';
import { preferencesCollection } from './model.ts';
import { MEDIA, matrix, type PreferencesInput, quietHoursShape } from './preferences.ts';

const row = z.object(
  Object.fromEntries(MEDIA.map((medium) => [medium, z.boolean()])) as Record<
    (typeof MEDIA)[number],
    z.ZodBoolean
  >,
);
export const preferencesShape = z.object({
  events: z.object(
    Object.fromEntries(EVENTS.map((event) => [event, row])) as Record<(typeof EVENTS)[number], typeof row>,
  ),
  quietHours: quietHoursShape.nullable(),
  unsubscribed: z.boolean(),
});

const self = ({ actor }: Ctx) => ({
  kind: actor.kind === 'contact' ? ('contact' as const) : ('user' as const),
  id: actor.id,
});

export async function readPreferences(ctx: Ctx): Promise<z.output<typeof preferencesShape>> {
  const preferences = await preferencesFor(self(ctx));
  return {
    events: matrix(preferences),
    quietHours: preferences.quietHours,
    unsubscribed: preferences.unsubscribed,
  };
}

/** What is given is set; events and media that are not named stay as they are. */
export async function choosePreferences(
  ctx: Ctx,
  { events, quietHours }: PreferencesInput,
): Promise<z.output<typeof preferencesShape>> {
  const person = self(ctx);
  const chosen: Record<string, unknown> = {};
  for (const [event, choices] of Object.entries(events ?? {}))
    for (const [medium, on] of Object.entries(choices ?? {})) chosen[`events.${event}.${medium}`] = on;
  const wantsMail = Object.values(events ?? {}).some((choices) => choices?.email === true);
  await preferencesCollection().updateOne(
    { _id: preferenceKey(person) },
    {
      $set: {
        ...chosen,
        ...(quietHours === undefined ? {} : { quietHours }),
        ...(wantsMail ? { unsubscribed: false } : {}),
        company: ctx.actor.company,
        updatedAt: ctx.now(),
      },
      $setOnInsert: {
        ...(Object.keys(chosen).length ? {} : { events: {} }),
        ...(quietHours === undefined ? { quietHours: null } : {}),
        ...(wantsMail ? {} : { unsubscribed: false }),
      },
    },
    { upsert: true },
  );
  forgetPreferences(person);
  return readPreferences(ctx);
}
