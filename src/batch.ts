// Calls that arrive while one is under way travel together in the next: fewer trips, the same answers. Each caller
// gets its own result or its own error.

export interface Travel {
  most?: number;
  abreast?: number;
  /**
   * From so many on they are shared out evenly among those abreast while trips are quick, so that we make up one group
   * while the other is away: whoever comes back together would otherwise leave together, and we and the other side only
   * ever wait in turn. Where a trip is mostly waiting (for a slow disk) all wait for the same one.
   */
  least?: number;
}

/** For each that travels: beyond this a second group would mostly wait for the first. */
const QUICK_MS = 0.25;

export function together<In, Out>(
  run: (items: In[]) => Promise<(Out | Error)[]>,
  { most = 100, abreast = 2, least = most }: Travel = {},
): (item: In) => Promise<Out> {
  interface Waiting {
    item: In;
    resolve: (out: Out) => void;
    reject: (error: unknown) => void;
  }
  const waiting: Waiting[] = [];
  let running = 0;
  let away = 0;
  /** How long a trip of many usually takes for each of them. */
  let usual = 0;
  let scheduled = false;

  function schedule() {
    if (scheduled || running >= abreast || !waiting.length) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      void go();
    });
  }
  async function go() {
    const share = usual < QUICK_MS ? Math.ceil((away + waiting.length) / abreast) : most;
    const group = waiting.splice(0, Math.min(most, Math.max(least, share)));
    if (!group.length) return;
    const left = performance.now();
    running++;
    away += group.length;
    schedule();
    try {
      const results = await run(group.map((one) => one.item));
      group.forEach((one, at) => {
        const result = results[at];
        if (result instanceof Error) one.reject(result);
        else one.resolve(result as Out);
      });
    } catch (error) {
      for (const one of group) one.reject(error);
    } finally {
      running--;
      if (group.length >= least) usual += ((performance.now() - left) / group.length - usual) / 8;
      away -= group.length;
      schedule();
    }
  }
  return (item) =>
    new Promise<Out>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      schedule();
    });
}
