// Indexes made and removed. A small collection's index is there with the commit that asks for it; a large one's is
// built in slices while every write already keeps it up, and nobody asks it before it is whole.
import {
  type Catalogue,
  type Collection,
  create,
  discard,
  find,
  saveCollection,
  takeId,
} from './catalogue.ts';
import { fault } from './errors.ts';
import { isThere, normalise } from './index-specs.ts';
import { type Index, prepareIndex } from './indexes.ts';
import { buildSlice } from './records.ts';
import type { Engine } from './requests.ts';
import { inSlices } from './writing.ts';

const AT_ONCE = 1000;
const SLICE = 50;

export type Added = { before: number; now: number; created: boolean };

function declare(catalogue: Catalogue, c: Collection, wanted: readonly unknown[]): Index[] {
  const added: Index[] = [];
  for (const each of wanted) {
    const spec = normalise(c, each);
    if (isThere(c, spec)) continue;
    const index = { ...prepareIndex(takeId(catalogue), spec), building: true };
    c.indexes.push(index);
    added.push(index);
  }
  return added;
}

/** Kept as whole with this commit; asked only when that is on the disk. */
function saveWhole(catalogue: Catalogue, c: Collection, indexes: Index[]): void {
  for (const index of indexes) index.building = false;
  saveCollection(catalogue, c);
  for (const index of indexes) index.building = true;
}

export function removeIndex(catalogue: Catalogue, c: Collection, index: Index): void {
  c.indexes = c.indexes.filter((each) => each !== index);
  discard(catalogue, index.prefix);
  saveCollection(catalogue, c);
}

export async function addIndexes(
  engine: Engine,
  database: string,
  name: string,
  wanted: readonly unknown[],
): Promise<Added> {
  const { catalogue, writer } = engine;
  for (const each of wanted) normalise(find(catalogue, database, name), each);
  const { c, added, before, created, large } = await writer.write(() => {
    const known = find(catalogue, database, name);
    const c = known ?? create(catalogue, database, name);
    const kept = [...c.indexes];
    const large = c.count > AT_ONCE;
    try {
      const added = declare(catalogue, c, wanted);
      if (large) saveCollection(catalogue, c);
      else {
        for (const index of added) buildSlice(catalogue, c, index, 0, AT_ONCE + 1);
        if (added.length > 0) saveWhole(catalogue, c, added);
      }
      return { c, added, before: kept.length, created: !known, large };
    } catch (error) {
      for (const index of c.indexes) if (!kept.includes(index)) discard(catalogue, index.prefix);
      c.indexes = kept;
      saveCollection(catalogue, c);
      throw error;
    }
  });
  for (const index of added) {
    if (large) await build(engine, c, index);
    index.building = false;
  }
  return { before, now: c.indexes.length, created };
}

async function build({ catalogue, writer }: Engine, c: Collection, index: Index): Promise<void> {
  try {
    await inSlices(writer, { at: 0 }, (progress) => {
      if (c.dropped || !c.indexes.includes(index)) fault(276, `collection or index dropped while building`);
      const next = buildSlice(catalogue, c, index, progress.at, SLICE);
      progress.at = next ?? progress.at;
      return next === undefined;
    });
  } catch (error) {
    await writer.write(() => {
      if (!c.dropped && c.indexes.includes(index)) removeIndex(catalogue, c, index);
    });
    throw error;
  }
  await writer.write(() => saveWhole(catalogue, c, [index]));
}
