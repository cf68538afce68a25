// Attachments as stored: what is known of a file; its bytes are in the storage. Private to this folder.
import { Schema } from 'mongoose';
import type { Audience } from '../history/entry.ts';
import { plainModel } from '../store.ts';
import type { Table } from '../table.ts';

export interface StoredAttachment {
  _id: string;
  company: string;
  ticket: string;
  name: string;
  size: number;
  type: string;
  sha256: string | null;
  description: string | null;
  audience: Audience;
  /** `loose`: bytes are here, the ticket does not know yet. `awaiting`: to be uploaded elsewhere, then confirmed. */
  state: 'awaiting' | 'loose' | 'attached' | 'removed' | 'refused';
  scan: 'none' | 'clean' | 'pending' | 'infected';
  finding: string | null;
  /** When the scanner was last asked about a file that it has not answered for. */
  askedAt?: Date;
  storageKey: string;
  uploadedBy: { kind: string; id: string; name: string };
  createdAt: Date;
}

const schema = new Schema({ _id: String }, { collection: 'attachments', strict: false, versionKey: false });
schema.index({ ticket: 1, createdAt: 1, _id: 1 });
schema.index({ company: 1, createdAt: -1, _id: -1 });
schema.index({ company: 1, 'uploadedBy.id': 1, createdAt: -1, _id: -1 });
schema.index({ state: 1, createdAt: 1 });
schema.index({ scan: 1, askedAt: 1 }, { partialFilterExpression: { scan: 'pending' } });

const model = plainModel('Attachment', schema);
export const attachmentCollection = () => model.collection as Table<StoredAttachment>;
