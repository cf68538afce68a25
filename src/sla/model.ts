// Policies and calendars as stored: all of a company in one document, so that a reader never sees half a change and
// one read serves every ticket. Its version is the lock. Private to this folder.

import { Schema } from 'mongoose';
import { plainModel } from '../store.ts';
import type { Table } from '../table.ts';
import type { Place } from '../tickets/due.ts';
import type { NamedCalendar, Policy } from './policy.ts';

export interface StoredRules {
  /** The company. */
  _id: string;
  version: number;
  policies: Policy[];
  calendars: NamedCalendar[];
  /** Open tickets that still run by older rules are brought up to date from here on; absent: all are. */
  spread?: Spread;
}

export interface Spread {
  /** Not before: by then no process remembers the older rules. */
  at: Date;
  /** How far it has come; null at the start. */
  after: Place | null;
}

const schema = new Schema({ _id: String }, { collection: 'sla_rules', strict: false, versionKey: false });
schema.index({ 'spread.at': 1 }, { partialFilterExpression: { 'spread.at': { $type: 'date' } } });

const model = plainModel('SlaRules', schema);
export const rulesCollection = () => model.collection as Table<StoredRules>;
