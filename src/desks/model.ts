// Desks, their ticket counters and macros as stored. Private to this folder.
import mongoose, { Schema } from 'mongoose';
import type { Desk } from './desk.ts';

const desks = new Schema({ _id: String }, { collection: 'desks', strict: false, versionKey: false });
desks.index({ company: 1, key: 1 }, { unique: true });
desks.index({ company: 1, createdAt: 1, _id: 1 });
const counters = new Schema({ _id: String }, { collection: 'counters', strict: false, versionKey: false });
const macros = new Schema({ _id: String }, { collection: 'macros', strict: false, versionKey: false });
macros.index({ company: 1, name: 1 }, { unique: true });

type Collection<T extends mongoose.mongo.Document> = mongoose.mongo.Collection<T>;
export type StoredDesk = Omit<Desk, 'id'> & { _id: string };
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

const deskModel = mongoose.model('Desk', desks);
const counterModel = mongoose.model('Counter', counters);
const macroModel = mongoose.model('Macro', macros);
export const deskCollection = () => deskModel.collection as unknown as Collection<StoredDesk>;
export const counterCollection = () =>
  counterModel.collection as unknown as Collection<{ _id: string; last: number }>;
export const macroCollection = () => macroModel.collection as unknown as Collection<StoredMacro>;

export const hadTickets = async (desk: string): Promise<boolean> =>
  (await counterCollection().findOne({ _id: desk })) !== null;
