// Rules, rotas, who is away, and the book of what was given out, as stored. Private to this folder.
import { Schema } from 'mongoose';
import { plainModel } from '../store.ts';
import type { Table } from '../table.ts';
import type { Rota } from './rota.ts';
import type { Rule } from './rule.ts';

export interface StoredRule {
  /** The desk. */
  _id: string;
  company: string;
  rule: Rule;
  automatic: boolean;
  updatedAt: Date;
}

export interface StoredPresence {
  /** The user. */
  _id: string;
  company: string;
  away: boolean;
  since: Date | null;
  until: Date | null;
  capacity: number | null;
  /** Still to be handed over: all, or only the tickets of desks that want it. */
  handingOver: 'all' | 'desks' | null;
  updatedAt: Date;
}

export interface StoredRota extends Rota {
  /** The team. */
  _id: string;
  company: string;
  updatedAt: Date;
}

/** One ticket given out, or to be: it holds only as long as nobody has changed the ticket since. */
export interface Intent {
  ticket: string;
  seq: number;
  desk: string;
  set: { assignee?: string | null; team?: string | null };
  notes: string;
  facts: Record<string, unknown>;
  /** The turn that it takes of its receiver, and the one that they had before. */
  turn: number | null;
  before: number | null;
}

export interface StoredBook {
  /** The company. */
  _id: string;
  version: number;
  /** The number of the last turn. */
  last: number;
  /** Desk, user: when they were last served, in turns. */
  turns: Record<string, Record<string, number>>;
  intents: Intent[];
}

const shape = (collection: string) =>
  new Schema({ _id: String }, { collection, strict: false, versionKey: false });

const rules = shape('routing_rules');
rules.index({ company: 1 });
rules.index({ automatic: 1 }, { partialFilterExpression: { automatic: true } });
const presences = shape('routing_presences');
presences.index({ company: 1 });
presences.index({ handingOver: 1 }, { partialFilterExpression: { handingOver: { $gt: '' } } });
const rotas = shape('routing_rotas');
rotas.index({ company: 1 });

const models = {
  rules: plainModel('RoutingRule', rules),
  presences: plainModel('RoutingPresence', presences),
  rotas: plainModel('RoutingRota', rotas),
  books: plainModel('RoutingBook', shape('routing_books')),
};
export const ruleCollection = () => models.rules.collection as Table<StoredRule>;
export const presenceCollection = () => models.presences.collection as Table<StoredPresence>;
export const rotaCollection = () => models.rotas.collection as Table<StoredRota>;
export const bookCollection = () => models.books.collection as Table<StoredBook>;
