// Rules, their turns (when a rule of time is to look at a ticket) and what became of them, as stored. Private to this
// folder.
import { Schema } from 'mongoose';
import { plainModel } from '../store.ts';
import type { Table } from '../table.ts';
import type { Place } from '../tickets/due.ts';
import type { Reason } from './condition.ts';
import type { Rule } from './rule.ts';

export interface StoredRule extends Omit<Rule, 'id' | 'companyId'> {
  _id: string;
  company: string;
  /** What happened before is none of its business. */
  since: Date;
  /** A rule of time that does not know all tickets yet: how far it has come. */
  spread?: { at: Date; after: Place | null; again?: boolean };
}

/** When a rule of time is to look at a ticket. */
export interface StoredTurn {
  /** `<rule>/<ticket>` */
  _id: string;
  company: string;
  rule: string;
  ticket: string;
  spell: Date;
  /** Null: not again, until something happens on the ticket. */
  at: Date | null;
  /** The spell in which it fired. */
  fired?: Date;
}

export const OUTCOMES = ['fired', 'not_matched', 'nothing_to_do', 'already', 'failed', 'stopped'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface StoredRun {
  _id: string;
  company: string;
  rule: string;
  ticket: string;
  ticketKey: string;
  /** The entry that set it off; null when time did. */
  entry: string | null;
  event: string;
  outcome: Outcome;
  at: Date;
  /** Why it did not fire, or what made it fire. */
  reasons: Reason[];
  did: string[];
  /** What could not be done, and why it was stopped. */
  problems: string[];
  /** How many more of the same kind were not written down since the line before. */
  unlisted: number;
  expiresAt: Date;
}

const rules = new Schema(
  { _id: String },
  { collection: 'automation_rules', strict: false, versionKey: false },
);
rules.index({ company: 1, position: 1, _id: 1 });
rules.index({ 'spread.at': 1 }, { partialFilterExpression: { 'spread.at': { $type: 'date' } } });
const turns = new Schema(
  { _id: String },
  { collection: 'automation_turns', strict: false, versionKey: false },
);
turns.index({ at: 1 }, { partialFilterExpression: { at: { $type: 'date' } } });
turns.index({ ticket: 1 });
turns.index({ rule: 1 });
const runs = new Schema({ _id: String }, { collection: 'automation_runs', strict: false, versionKey: false });
runs.index({ company: 1, rule: 1, at: -1, _id: -1 });
runs.index({ company: 1, rule: 1, outcome: 1, at: -1, _id: -1 });
runs.index({ company: 1, rule: 1, ticket: 1, at: -1, _id: -1 });
runs.index({ ticket: 1 });
runs.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });

const ruleModel = plainModel('AutomationRule', rules);
const turnModel = plainModel('AutomationTurn', turns);
const runModel = plainModel('AutomationRun', runs);
export const ruleCollection = () => ruleModel.collection as Table<StoredRule>;
export const turnCollection = () => turnModel.collection as Table<StoredTurn>;
export const runCollection = () => runModel.collection as Table<StoredRun>;
