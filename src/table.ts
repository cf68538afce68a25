// What we use of a MongoDB collection, as plain types. The driver's own types compute every path of every document in
// every call, which made checking this project take a minute; these say as much as we rely on.

export type Filter = Record<string, unknown>;
export type Update = Record<string, unknown> | readonly Record<string, unknown>[];
type Order = Record<string, 1 | -1>;
type Projection = Record<string, unknown>;

export interface Rows<T> extends AsyncIterable<T> {
  sort(order: Order): Rows<T>;
  skip(count: number): Rows<T>;
  limit(count: number): Rows<T>;
  batchSize(count: number): Rows<T>;
  project<P = T>(fields: Projection): Rows<P>;
  hint(index: string): Rows<T>;
  explain(): Promise<unknown>;
  next(): Promise<T | null>;
  toArray(): Promise<T[]>;
  close(): Promise<void>;
}

interface FindOptions {
  sort?: Order;
  projection?: Projection;
  limit?: number;
  skip?: number;
  batchSize?: number;
  hint?: string;
}
interface CountOptions {
  limit?: number;
  skip?: number;
  hint?: string;
  maxTimeMS?: number;
}
interface Updated {
  matchedCount: number;
  modifiedCount: number;
  upsertedCount: number;
  upsertedId: unknown;
}
interface Bulk {
  matchedCount: number;
  modifiedCount: number;
  insertedCount: number;
  upsertedCount: number;
  deletedCount: number;
}
interface ChangeOne {
  filter: Filter;
  update: Update;
  upsert?: boolean;
  arrayFilters?: Filter[];
}
export type Write<T> =
  | { insertOne: { document: T } }
  | { updateOne: ChangeOne }
  | { updateMany: ChangeOne }
  | { replaceOne: { filter: Filter; replacement: T; upsert?: boolean } }
  | { deleteOne: { filter: Filter } }
  | { deleteMany: { filter: Filter } };

interface ModifyOptions {
  sort?: Order;
  projection?: Projection;
  upsert?: boolean;
  returnDocument?: 'before' | 'after';
  arrayFilters?: Filter[];
}

export interface Table<T> {
  readonly collectionName: string;
  find(filter?: Filter, options?: FindOptions): Rows<T>;
  findOne(filter: Filter, options?: FindOptions): Promise<T | null>;
  countDocuments(filter?: Filter, options?: CountOptions): Promise<number>;
  estimatedDocumentCount(): Promise<number>;
  distinct(field: string, filter?: Filter): Promise<unknown[]>;
  aggregate<Row>(
    stages: readonly Record<string, unknown>[],
    options?: { allowDiskUse?: boolean; batchSize?: number },
  ): Rows<Row>;
  insertOne(document: T): Promise<{ insertedId: unknown }>;
  insertMany(documents: readonly T[], options?: { ordered?: boolean }): Promise<{ insertedCount: number }>;
  updateOne(
    filter: Filter,
    update: Update,
    options?: { upsert?: boolean; arrayFilters?: Filter[] },
  ): Promise<Updated>;
  updateMany(
    filter: Filter,
    update: Update,
    options?: { upsert?: boolean; arrayFilters?: Filter[] },
  ): Promise<Updated>;
  replaceOne(filter: Filter, replacement: T, options?: { upsert?: boolean }): Promise<Updated>;
  deleteOne(filter: Filter): Promise<{ deletedCount: number }>;
  deleteMany(filter: Filter): Promise<{ deletedCount: number }>;
  findOneAndUpdate(filter: Filter, update: Update, options?: ModifyOptions): Promise<T | null>;
  findOneAndDelete(filter: Filter, options?: { sort?: Order; projection?: Projection }): Promise<T | null>;
  bulkWrite(writes: readonly Write<T>[], options?: { ordered?: boolean }): Promise<Bulk>;
  listIndexes(): Rows<{ name: string; key: Record<string, unknown> }>;
}
