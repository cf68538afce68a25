// Workspaces and channels as stored. Private to this folder: installations are sealed here and opened nowhere else.
import { Schema } from 'mongoose';
import { plainModel } from '../store.ts';
import type { Table } from '../table.ts';
import type { Channel, Workspace } from './place.ts';

export interface StoredWorkspace extends Omit<Workspace, 'id'> {
  _id: string;
  /** The installation with its tokens, sealed; null when the token comes from the environment. */
  sealed: string | null;
  /** Hash of the code by which an administrator says whose workspace it is. */
  claim: string | null;
}
export type StoredChannel = Omit<Channel, 'id'> & { _id: string };

const workspaces = new Schema(
  { _id: String },
  { collection: 'workspaces', strict: false, versionKey: false },
);
workspaces.index({ company: 1, surface: 1 });
const channels = new Schema({ _id: String }, { collection: 'channels', strict: false, versionKey: false });
channels.index({ company: 1, desk: 1, role: 1 });
channels.index({ workspace: 1, role: 1 });

/** Somebody does not want to be asked in a channel for a while. */
export interface StoredMute {
  /** Channel and person. */
  _id: string;
  until: Date;
}
const mutes = new Schema({ _id: String }, { collection: 'mutes', strict: false, versionKey: false });
mutes.index({ until: 1 }, { expireAfterSeconds: 0 });

const workspaceModel = plainModel('Workspace', workspaces);
const channelModel = plainModel('Channel', channels);
export const workspaceCollection = () => workspaceModel.collection as Table<StoredWorkspace>;
export const channelCollection = () => channelModel.collection as Table<StoredChannel>;
const muteModel = plainModel('Mute', mutes);
export const muteCollection = () => muteModel.collection as Table<StoredMute>;
