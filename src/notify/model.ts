// Deliveries, notifications and what people want to hear, as stored. Private to this folder.
import { Schema } from 'mongoose';
import { plainModel } from '../store.ts';
import type { Table } from '../table.ts';
import type { Delivery, News } from './channel.ts';
import type { Event } from './messages.ts';
import type { Medium, Preferences } from './preferences.ts';

export interface StoredDelivery extends Delivery {
  /** Claims in a row that ended without an outcome: whoever sent it died. */
  lost: number;
  /** Of a card: the ticket's sequence number that was drawn last. */
  done: number;
}

/** A destination that is left alone for a while: asked for patience, or failing. */
export interface StoredEndpoint {
  /** `<surface>:<endpoint>` */
  _id: string;
  pausedUntil: Date;
  reason: string;
}

export interface StoredNotification {
  /** Made from the person and the entry: the same news is told once. */
  _id: string;
  company: string;
  person: { kind: 'user' | 'contact'; id: string };
  ticket: string;
  event: Event;
  audience: 'public' | 'internal';
  isRequester: boolean;
  news: News;
  /** The trace it belongs to (W3C traceparent). */
  trace?: string;
  at: Date;
  readAt: Date | null;
  /** In the person's list; otherwise it only goes out by other media. */
  listed: boolean;
  /** By what else it is to be told, and when; null once it was, or was read first. */
  media: Medium[];
  due: Date | null;
  /** Deferred by quiet hours: goes into one digest. */
  digest: boolean;
  /** Notifications that were taken out together make one message. */
  bundle: string | null;
  bundledAt: Date | null;
}

export interface StoredPreferences extends Preferences {
  /** `user:<id>` or `contact:<id>` */
  _id: string;
  company: string;
  updatedAt: Date;
}

/** Set aside: what the relay could not digest, so that the rest flows. */
export interface StoredPoison {
  /** The ticket. */
  _id: string;
  company: string;
  entries: string[];
  error: string;
  at: Date;
  settledAt: Date | null;
}

const shape = (collection: string) =>
  new Schema({ _id: String }, { collection, strict: false, versionKey: false });
const DAY = 24 * 3600;

const deliveries = shape('deliveries');
const unsettled = { partialFilterExpression: { nextAttemptAt: { $type: 'date' } } };
deliveries.index({ nextAttemptAt: 1 }, unsettled);
deliveries.index({ lane: 1, order: 1 }, unsettled);
deliveries.index({ endpoint: 1, nextAttemptAt: 1 }, unsettled);
deliveries.index({ ticket: 1, createdAt: 1 });
deliveries.index({ company: 1, createdAt: -1 });
deliveries.index({ original: 1 }, { partialFilterExpression: { original: { $gt: '' } } });
deliveries.index({ settledAt: 1 }, { expireAfterSeconds: 90 * DAY });

const endpoints = shape('endpoints');
endpoints.index({ pausedUntil: 1 }, { expireAfterSeconds: DAY });

const notifications = shape('notifications');
notifications.index({ 'person.id': 1, at: -1, _id: -1 });
notifications.index({ 'person.id': 1, readAt: 1, at: -1 });
notifications.index({ due: 1 }, { partialFilterExpression: { due: { $type: 'date' } } });
notifications.index({ ticket: 1 });
notifications.index({ bundle: 1 }, { partialFilterExpression: { bundle: { $gt: '' } } });
notifications.index({ at: 1 }, { expireAfterSeconds: 180 * DAY });

const preferences = shape('preferences');
const poisoned = shape('poisoned');

const models = {
  deliveries: plainModel('Delivery', deliveries),
  endpoints: plainModel('Endpoint', endpoints),
  notifications: plainModel('Notification', notifications),
  preferences: plainModel('Preferences', preferences),
  poisoned: plainModel('Poisoned', poisoned),
};
export const deliveryCollection = () => models.deliveries.collection as Table<StoredDelivery>;
export const endpointCollection = () => models.endpoints.collection as Table<StoredEndpoint>;
export const notificationCollection = () => models.notifications.collection as Table<StoredNotification>;
export const preferencesCollection = () => models.preferences.collection as Table<StoredPreferences>;
export const poisonCollection = () => models.poisoned.collection as Table<StoredPoison>;
