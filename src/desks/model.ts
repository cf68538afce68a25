// Desks and their ticket counters as stored. Private to this folder.
import mongoose, { Schema } from 'mongoose';
import type { Desk } from './desk.ts';

const desks = new Schema({ _id: String }, { collection: 'desks', strict: false, versionKey: false });
desks.index({ company: 1, key: 1 }, { unique: true });
const counters = new Schema({ _id: String }, { collection: 'counters', strict: false, versionKey: false });

type Collection<T extends mongoose.mongo.Document> = mongoose.mongo.Collection<T>;
export type StoredDesk = Omit<Desk, 'id'> & { _id: string };

const deskModel = mongoose.model('Desk', desks);
const counterModel = mongoose.model('Counter', counters);
export const deskCollection = () => deskModel.collection as unknown as Collection<StoredDesk>;
export const counterCollection = () =>
  counterModel.collection as unknown as Collection<{ _id: string; last: number }>;
