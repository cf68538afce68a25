// Tickets as stored. Private to this folder: nobody writes a ticket but through change.ts.
import { Schema } from 'mongoose';
import { plainModel } from '../store.ts';
import type { Rows, Table } from '../table.ts';
import { fromRow, type TicketRow } from './birth.ts';
import type { StoredTicket } from './ticket.ts';

const schema = new Schema({ _id: String }, { collection: 'tickets', strict: false, versionKey: false });

// Every list of the API is served by one of these: the company, the filter, then the order.
schema.index({ company: 1, key: 1 }, { unique: true });
schema.index({ company: 1, number: -1, _id: -1 });
schema.index({ company: 1, createdAt: -1, _id: -1 });
schema.index({ company: 1, updatedAt: -1, _id: -1 });
schema.index({ company: 1, status: 1, createdAt: -1, _id: -1 });
schema.index({ company: 1, statusKind: 1, createdAt: -1, _id: -1 });
schema.index({ company: 1, desk: 1, createdAt: -1, _id: -1 });
schema.index({ company: 1, assignee: 1, createdAt: -1, _id: -1 });
schema.index({ company: 1, team: 1, createdAt: -1, _id: -1 });
schema.index({ company: 1, 'requester.id': 1, createdAt: -1, _id: -1 });
schema.index({ company: 1, 'requester.id': 1, shownAt: -1, _id: -1 });
schema.index({ company: 1, priorityRank: -1, _id: -1 });
schema.index({ company: 1, category: 1, createdAt: -1, _id: -1 });
schema.index({ company: 1, tags: 1, createdAt: -1 });
schema.index({ company: 1, dueAt: 1, _id: 1 });
schema.index({ company: 1, channel: 1, createdAt: -1, _id: -1 });
schema.index({ company: 1, environment: 1, createdAt: -1, _id: -1 });
schema.index({ company: 1, words: 1, createdAt: -1, _id: -1 });
export const BY_WORDS = 'company_1_words_1_createdAt_-1__id_-1';
schema.index({ company: 1, formerKeys: 1 }, { partialFilterExpression: { formerKeys: { $gt: '' } } });
// That a value is beyond '' is what an equality says as well, so that the index may answer it; a type is not.
schema.index({ company: 1, externalRef: 1 }, { partialFilterExpression: { externalRef: { $gt: '' } } });
const watched = { partialFilterExpression: { watchers: { $gt: '' } } };
schema.index({ company: 1, watchers: 1, createdAt: -1, _id: -1 }, watched);
schema.index({ company: 1, watchers: 1, shownAt: -1, _id: -1 }, watched);
schema.index(
  { company: 1, 'conversations.id': 1 },
  { partialFilterExpression: { 'conversations.id': { $gt: '' } } },
);
// What is waited for or in hand now (`new` and `open` are neighbours in the alphabet): queues, and what people have.
schema.index(
  { company: 1, assignee: 1, statusKind: 1, desk: 1, team: 1, createdAt: 1, _id: 1 },
  { partialFilterExpression: { statusKind: { $gte: 'new', $lte: 'open' } } },
);
schema.index({ nextDeadlineAt: 1 }, { partialFilterExpression: { nextDeadlineAt: { $type: 'date' } } });
schema.index({ pendingAt: 1 }, { partialFilterExpression: { pendingAt: { $type: 'date' } } });

const model = plainModel('Ticket', schema);
export const ticketCollection = () => model.collection as Table<TicketRow>;
export const wholeTickets = async (rows: Rows<TicketRow>): Promise<StoredTicket[]> =>
  (await rows.toArray()).map(fromRow);
