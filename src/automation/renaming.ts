// A category gets another name: rules that speak of it follow. A rule of one desk says the new name; a rule of all desks
// says both, for on other desks the category may still be called as before.
import { categoryWord, type Desk } from '../desks/desk.ts';
import { signal } from '../signals.ts';
import { ruleCollection } from './model.ts';
import type { Condition, Leaf, RuleAction } from './rule.ts';

interface Renaming {
  from: string;
  to: string;
  isOwn: boolean;
}

const FIELDS = ['category', 'before.category', 'after.category'];
const MANY: Partial<Record<Leaf['op'], Leaf['op']>> = {
  ...{ equals: 'in', in: 'in', not_equals: 'not_in', not_in: 'not_in' },
};

function renamedLeaf(leaf: Leaf, { from, to, isOwn }: Renaming): Leaf {
  const isOld = (value: unknown) => categoryWord(String(value)) === categoryWord(from);
  const op = MANY[leaf.op];
  const values = [leaf.value ?? []].flat();
  if (!op || !FIELDS.includes(leaf.field) || !values.some(isOld)) return leaf;
  if (isOwn) {
    const said = values.map((value) => (isOld(value) ? to : value));
    return { ...leaf, value: Array.isArray(leaf.value) ? said : said[0] };
  }
  return { ...leaf, op, value: [...new Set([...values, to])] };
}

function renamedIn(condition: Condition, renaming: Renaming): Condition {
  if ('all' in condition) return { all: condition.all.map((one) => renamedIn(one, renaming)) };
  if ('any' in condition) return { any: condition.any.map((one) => renamedIn(one, renaming)) };
  if ('not' in condition) return { not: renamedIn(condition.not, renaming) };
  return renamedLeaf(condition, renaming);
}

const renamedDeed = (deed: RuleAction, { from, to, isOwn }: Renaming): RuleAction =>
  isOwn && deed.do === 'set' && deed.category && categoryWord(deed.category) === categoryWord(from)
    ? { ...deed, category: to }
    : deed;

/** Doing it again changes nothing more; whoever saves a rule at the same moment is not overwritten. */
export async function renameInRules(
  { id, company }: Pick<Desk, 'id' | 'company'>,
  from: string,
  to: string,
): Promise<void> {
  for (const rule of await ruleCollection().find({ company }).toArray()) {
    if (rule.desk !== null && rule.desk !== id) continue;
    const renaming = { from, to, isOwn: rule.desk === id };
    const after = {
      if: renamedIn(rule.if, renaming),
      then: rule.then.map((deed) => renamedDeed(deed, renaming)),
    };
    if (JSON.stringify([after.if, after.then]) === JSON.stringify([rule.if, rule.then])) continue;
    const version = rule.version + 1;
    await ruleCollection().updateOne(
      { _id: rule._id, version: rule.version },
      { $set: { ...after, version, updatedAt: new Date() } },
    );
  }
  signal('stale', { kind: 'rule', id: company });
}
