// Those who wait for their turn, in an order that is fair: what people do goes before what programs do in heaps (but for
// one in four), and callers take turns, so that one who asks a thousand times holds up nobody but himself.
export interface Waiting {
  /** A person, a program or a place: many from one take turns with one from another. */
  caller: string;
  /** Programs do it in heaps. */
  bulk?: boolean;
  letIn: () => void;
}

export interface Line<One> {
  readonly size: number;
  has(caller: string): boolean;
  join(one: One): void;
  /** Whose turn it is; of one caller's the first who came, or the newest. */
  next(newest?: boolean): One | undefined;
  /** Who has waited longest. */
  oldest(): One | undefined;
  /** Those who have waited longest leave, as long as it is said of them. */
  leave(says: (one: One) => boolean): One[];
}

const ORDINARY_IN_A_ROW = 3;

export function openLine<One extends Waiting = Waiting>(): Line<One> {
  /** In the order in which they came. */
  const all = new Set<One>();
  /** By caller, in the order of their turns. */
  const [ordinary, bulk] = [new Map<string, One[]>(), new Map<string, One[]>()];
  let row = 0;
  const laneOf = (one: One) => (one.bulk ? bulk : ordinary);
  const choose = () => {
    const takesOrdinary = ordinary.size > 0 && (row < ORDINARY_IN_A_ROW || bulk.size === 0);
    row = takesOrdinary && bulk.size > 0 ? row + 1 : 0;
    return takesOrdinary ? ordinary : bulk;
  };
  return {
    get size() {
      return all.size;
    },
    has: (caller) => ordinary.has(caller) || bulk.has(caller),
    join(one) {
      all.add(one);
      const lane = laneOf(one);
      const own = lane.get(one.caller);
      if (own) own.push(one);
      else lane.set(one.caller, [one]);
    },
    next(newest = false) {
      const lane = choose();
      const [turn] = lane;
      if (!turn) return undefined;
      const [caller, own] = turn;
      const one = newest ? own.pop() : own.shift();
      lane.delete(caller);
      if (own.length) lane.set(caller, own);
      if (one) all.delete(one);
      return one;
    },
    oldest: () => all.values().next().value,
    leave(says) {
      const gone: One[] = [];
      for (const one of all) {
        if (!says(one)) break;
        gone.push(one);
        all.delete(one);
        const lane = laneOf(one);
        // Of all that came he came first, so of his own too.
        const own = lane.get(one.caller);
        own?.shift();
        if (!own?.length) lane.delete(one.caller);
      }
      return gone;
    },
  };
}
