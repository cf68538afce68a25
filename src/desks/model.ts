// Desks, their ticket counters and macros as stored. Private to this folder.
import { Schema } from 'mongoose';
import { plainModel } from '../store.ts';
import type { Table } from '../table.ts';
import type { Desk } from './desk.ts';

const desks = new Schema({ _id: String }, { collection: 'desks', strict: false, versionKey: false });
desks.index({ company: 1, key: 1 }, { unique: true });
desks.index({ company: 1, createdAt: 1, _id: 1 });
desks.index({ renamingSince: 1 }, { partialFilterExpression: { renamingSince: { $type: 'date' } } });
const counters = new Schema({ _id: String }, { collection: 'counters', strict: false, versionKey: false });
const macros = new Schema({ _id: String }, { collection: 'macros', strict: false, versionKey: false });
macros.index({ company: 1, name: 1 }, { unique: true });

export type StoredDesk = Omit<Desk, 'id'> & { _id: string; renamingSince?: Date };
export interface StoredMacro {
  _id: string;
  company: string;
  name: string;
  body: string;
  actions: {
    do: 'status' | 'priority' | 'category' | 'assignee' | 'team' | 'add_tag' | 'remove_tag' | 'note';
    value: string;
  }[];
  desk: string | null;
  createdAt: Date;
  updatedAt: Date;
}

const deskModel = plainModel('Desk', desks);
const counterModel = plainModel('Counter', counters);
const macroModel = plainModel('Macro', macros);
export const deskCollection = () => deskModel.collection as Table<StoredDesk>;
export const counterCollection = () => counterModel.collection as Table<{ _id: string; last: number }>;
export const macroCollection = () => macroModel.collection as Table<StoredMacro>;

export const hadTickets = async (desk: string): Promise<boolean> =>
  (await counterCollection().findOne({ _id: desk })) !== null;
