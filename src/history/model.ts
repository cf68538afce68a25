// The history as stored: append-only; audit trail, history and outbox in one. Private to this folder.
import { Schema } from 'mongoose';
import { plainModel } from '../store.ts';
import type { Table } from '../table.ts';
import type { StoredEntry } from './entry.ts';

const schema = new Schema(
  { _id: String, ticket: String, company: String, desk: String, seq: Number, action: String, at: Date },
  { collection: 'history', strict: false, versionKey: false },
);
schema.index({ ticket: 1, seq: 1 }, { unique: true });
schema.index({ company: 1, at: -1, _id: -1 });
schema.index({ company: 1, 'by.id': 1, at: -1, _id: -1 });
schema.index(
  { company: 1, 'comment.origin': 1, at: -1 },
  { partialFilterExpression: { 'comment.origin': { $gt: '' } } },
);

const model = plainModel('History', schema);
export const historyCollection = () => model.collection as Table<StoredEntry>;
