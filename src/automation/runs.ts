// The run log: what fired, what did not and why, what was stopped. A line that says "fired" is never lost to one that
// says less; of what did not match, a busy desk keeps a sample, so that the log does not fill the disk.
import { z } from 'zod';
import { together } from '../batch.ts';
import type { Ctx } from '../context.ts';
import { forbidden } from '../errors.ts';
import { idFrom, isId } from '../id.ts';
import { list, type Page, pageQuery, repeated } from '../lists.ts';
import { ruleRunsTotal } from '../metrics.ts';
import { may } from '../people/access.ts';
import { onlyDuplicates } from '../store.ts';
import type { Write } from '../table.ts';
import { find } from '../tickets/find.ts';
import type { Ticket } from '../tickets/ticket.ts';
import type { Fired } from './firing.ts';
import { OUTCOMES, type Outcome, runCollection, type StoredRule, type StoredRun } from './model.ts';
import { load } from './rules.ts';

const DAY = 86_400_000;
const KEPT_DAYS: Record<Outcome, number> = {
  ...{ fired: 30, failed: 30, stopped: 30 },
  ...{ not_matched: 2, nothing_to_do: 2, already: 2 },
};
/** Of what came to nothing, so many lines in a minute and process: of one rule, and of all rules of a company. */
const SAMPLE = { rule: 30, company: 100 };
const MINUTE = 60_000;
const MOST_SAMPLES = 10_000;

interface Sample {
  until: number;
  left: number;
  unlisted: number;
}
const samples = new Map<string, Sample>();

function sampleOf(key: string, size: number): Sample {
  const now = performance.now();
  let sample = samples.get(key);
  if (!sample || sample.until < now) {
    if (samples.size > MOST_SAMPLES) samples.clear();
    sample = { until: now + MINUTE, left: size, unlisted: sample?.unlisted ?? 0 };
    samples.set(key, sample);
  }
  return sample;
}

/** How many were not written since the last one that was; null: this one is not written either. */
function unlistedBefore(rule: string, company: string): number | null {
  const [own, all] = [sampleOf(rule, SAMPLE.rule), sampleOf(company, SAMPLE.company)];
  if (own.left <= 0 || all.left <= 0) {
    own.unlisted++;
    return null;
  }
  own.left--;
  all.left--;
  const { unlisted } = own;
  own.unlisted = 0;
  return unlisted;
}

/** The line for what became of a rule; null when only a sample is kept and this is not in it. */
export function runOf(
  rule: StoredRule,
  ticket: Pick<Ticket, '_id' | 'key' | 'company'>,
  { entry, event, at }: Pick<StoredRun, 'entry' | 'event' | 'at'>,
  { key, outcome, reasons, did, problems }: Omit<Fired, 'ticket'>,
): StoredRun | null {
  ruleRunsTotal.inc({ outcome });
  const isWeighty = KEPT_DAYS[outcome] > KEPT_DAYS.not_matched;
  const unlisted = isWeighty ? 0 : unlistedBefore(rule._id, ticket.company);
  if (unlisted === null) return null;
  return {
    _id: idFrom('run', rule._id, ticket._id, key),
    ...{ company: ticket.company, rule: rule._id, ticket: ticket._id, ticketKey: ticket.key },
    ...{ entry, event, outcome, at, reasons: reasons.slice(0, 20), did, problems, unlisted },
    expiresAt: new Date(at.getTime() + KEPT_DAYS[outcome] * DAY),
  };
}

const writeTogether = together<StoredRun, true>(async (runs) => {
  const writes = runs.map(
    (run): Write<StoredRun> =>
      run.outcome === 'fired'
        ? { replaceOne: { filter: { _id: run._id }, replacement: run, upsert: true } }
        : { insertOne: { document: run } },
  );
  try {
    await runCollection().bulkWrite(writes, { ordered: false });
  } catch (error) {
    if (!onlyDuplicates(error)) throw error;
  }
  return runs.map(() => true as const);
});
export async function writeRuns(runs: readonly (StoredRun | null)[]): Promise<void> {
  await Promise.all(runs.flatMap((run) => (run ? [writeTogether(run)] : [])));
}

export const runQuery = z.strictObject({
  ...pageQuery,
  ticket: z.string().min(1).max(64).optional().meta({ description: 'Id or key of a ticket.' }),
  outcome: repeated(z.string().toLowerCase().pipe(z.enum(OUTCOMES))).optional(),
});
const reasonShape = z.object({
  field: z.string(),
  op: z.string(),
  wanted: z.unknown(),
  value: z.unknown(),
  holds: z.boolean(),
  sentence: z.string(),
});
export const runShape = z
  .object({
    id: z.string(),
    ruleId: z.string(),
    ticketId: z.string(),
    ticketKey: z.string(),
    entryId: z.string().nullable().meta({ description: 'The history entry that set it off.' }),
    event: z.string(),
    outcome: z.enum(OUTCOMES).meta({
      description:
        'fired; not_matched (the condition failed: see reasons); nothing_to_do (all of it was so already); already (run_once); failed; stopped (a loop).',
    }),
    at: z.date(),
    reasons: z.array(reasonShape).meta({ description: 'What decided the condition, with the value found.' }),
    did: z.array(z.string()),
    problems: z.array(z.string()),
    unlisted: z.int().meta({ description: 'How many like it were left out of the log before this one.' }),
  })
  .meta({ id: 'RuleRun' });

const drawn = (run: StoredRun): z.output<typeof runShape> => {
  const { _id, rule, ticket, entry, company: _, expiresAt: __, ...rest } = run;
  return { id: _id, ruleId: rule, ticketId: ticket, entryId: entry, ...rest };
};

export async function runs(
  ctx: Ctx,
  id: string,
  { ticket, outcome, ...page }: z.output<typeof runQuery>,
): Promise<Page<z.output<typeof runShape>>> {
  if (!may(ctx.actor, 'rule.read')) throw forbidden('rule.read', 'Only leads see this.');
  const rule = await load(ctx, id);
  const wanted = ticket === undefined ? null : isId(ticket) ? ticket : (await find(ctx, ticket))._id;
  const filter = {
    ...{ company: ctx.actor.company, rule: rule._id },
    ...(outcome ? { outcome: { $in: outcome } } : {}),
    ...(wanted ? { ticket: wanted } : {}),
  };
  return list(runCollection(), filter, { field: 'at', direction: 'desc', nullable: false }, page, drawn);
}
