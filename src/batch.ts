// Calls that arrive while one is under way travel together in the next: fewer trips, the same answers. Each caller
// gets its own result or its own error.

export interface Travel {
  most?: number;
  abreast?: number;
  /**
   * From so many on they are shared out evenly among those abreast, so that we make up one group while the other is
   * away: whoever comes back together would otherwise leave together, and we and the other side only ever wait in turn.
   */
  least?: number;
}

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
    const share = Math.ceil((away + waiting.length) / abreast);
    const group = waiting.splice(0, Math.min(most, Math.max(least, share)));
    if (!group.length) return;
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
