// Rules that set each other off, found when one is saved. Pure. Only what would go on for ever is told: rules that add
// to a ticket each time, or undo each other; not those after which there is nothing left to do.
import { compare } from './condition.ts';
import { fieldNamed, type Value } from './fields.ts';
import type { Condition, Rule, RuleAction } from './rule.ts';

type Looked = Pick<Rule, 'id' | 'name' | 'desk' | 'when' | 'if' | 'then'>;

const MOST = 5;
/** What such a deed writes; a macro may do any of them. */
const WRITES: Record<RuleAction['do'], readonly string[]> = {
  set: [],
  add_tags: ['update'],
  remove_tags: ['update'],
  assign: ['assignment_change'],
  reply: ['comment_added'],
  note: ['comment_added'],
  notify: [],
  escalate: ['escalated', 'priority_change', 'status_change'],
  resolve: ['resolved', 'status_change'],
  close: ['closed', 'status_change'],
  snooze: ['snoozed'],
  macro: ['comment_added', 'update', 'priority_change', 'assignment_change', 'status_change'],
};
/** Done again, it is there twice. */
const ADDS: readonly RuleAction['do'][] = ['reply', 'note', 'notify', 'macro'];

function writtenBy({ then }: Looked): Set<string> {
  const events = new Set(then.flatMap((action) => WRITES[action.do]));
  for (const action of then) {
    if (action.do !== 'set') continue;
    const { do: _, status, priority, ...rest } = action;
    if (priority) events.add('priority_change');
    if (status) for (const one of ['status_change', 'resolved', 'closed', 'reopened']) events.add(one);
    if (Object.values(rest).some((value) => value !== undefined)) events.add('update');
  }
  if (events.size) events.add('any');
  return events;
}

type Known = ReadonlyMap<string, Value>;
/** What is certain of a ticket after the rule. */
function leftBy({ then }: Looked): Known {
  const known = new Map<string, Value>([
    ['by', 'rule'],
    ['comment.by', 'rule'],
    ['via', 'automation'],
  ]);
  for (const action of then) {
    if (action.do !== 'set') continue;
    for (const name of ['status', 'priority', 'category', 'environment'] as const)
      if (action[name] !== undefined) known.set(name, action[name] ?? null);
  }
  return known;
}

/** False when it cannot hold, whatever else is so; null when that is open. */
function settled(condition: Condition, known: Known): boolean | null {
  if ('all' in condition) {
    const parts = condition.all.map((one) => settled(one, known));
    return parts.includes(false) ? false : parts.includes(null) ? null : true;
  }
  if ('any' in condition) {
    const parts = condition.any.map((one) => settled(one, known));
    return parts.includes(true) ? true : parts.includes(null) ? null : false;
  }
  if ('not' in condition) {
    const inner = settled(condition.not, known);
    return inner === null ? null : !inner;
  }
  const value = known.get(condition.field);
  const kind = fieldNamed(condition.field)?.kind;
  return value === undefined || !kind ? null : compare(condition, value, kind);
}

function setsOff(one: Looked, other: Looked): boolean {
  if (!('events' in other.when)) return false;
  if (one.desk !== null && other.desk !== null && one.desk !== other.desk) return false;
  const events = writtenBy(one);
  return other.when.events.some((event) => events.has(event)) && settled(other.if, leftBy(one)) !== false;
}

/** Does it go round for ever, or is all done after one time? */
function goesOn(rules: readonly Looked[]): boolean {
  if (rules.some(({ then }) => then.some((action) => ADDS.includes(action.do)))) return true;
  const wanted = new Map<string, string>();
  for (const { then } of rules)
    for (const [field, value] of then.flatMap(wishes)) {
      const before = wanted.get(field);
      if (before !== undefined && before !== value) return true;
      wanted.set(field, value);
    }
  return false;
}

const wishes = (action: RuleAction): [string, string][] => {
  if (action.do === 'add_tags') return action.tags.map((tag) => [`tag ${tag}`, 'there']);
  if (action.do === 'remove_tags') return action.tags.map((tag) => [`tag ${tag}`, 'gone']);
  if (action.do === 'resolve') return [['status', 'resolved']];
  if (action.do === 'close') return [['status', 'closed']];
  if (action.do !== 'set' && action.do !== 'assign') return [];
  const { do: _, ...fields } = action;
  return Object.entries(fields).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, JSON.stringify(value)]],
  );
};

/** The shortest way from one rule back to another. */
function wayBack(from: Looked, to: Looked, rules: readonly Looked[]): Looked[] | null {
  const cameFrom = new Map<Looked, Looked | null>([[from, null]]);
  for (const queue = [from]; queue.length; ) {
    const at = queue.shift();
    if (!at) break;
    if (setsOff(at, to)) {
      const way: Looked[] = [];
      for (let one: Looked | null = at; one; one = cameFrom.get(one) ?? null) way.unshift(one);
      return way;
    }
    for (const next of rules)
      if (!cameFrom.has(next) && setsOff(at, next)) {
        cameFrom.set(next, at);
        queue.push(next);
      }
  }
  return null;
}

/** In words: itself, and the circles that it is part of. */
export function warningsOf(rule: Looked, on: readonly Looked[]): string[] {
  const warnings: string[] = [];
  const after = 'The loop guard stops them each time, and the run log tells.';
  if (setsOff(rule, rule) && goesOn([rule]))
    warnings.push(
      `“${rule.name}” can set itself off: what it writes is one of its own events. The loop guard stops it after the first time.`,
    );
  const others = on.filter((one) => one.id !== rule.id);
  for (const next of others) {
    if (warnings.length >= MOST) break;
    const way = setsOff(rule, next) ? wayBack(next, rule, others) : null;
    if (!way || !goesOn([rule, ...way])) continue;
    const names = [rule, ...way, rule].map((one) => `“${one.name}”`).join(' → ');
    warnings.push(`Rules can set each other off: ${names}. ${after}`);
  }
  return warnings;
}
