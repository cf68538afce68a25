// Calls that arrive while one is under way travel together in the next: fewer trips, the same answers. Each caller
// gets its own result or its own error.

export function together<In, Out>(
  run: (items: In[]) => Promise<(Out | Error)[]>,
  { most = 100, abreast = 2 }: { most?: number; abreast?: number } = {},
): (item: In) => Promise<Out> {
  interface Waiting {
    item: In;
    resolve: (out: Out) => void;
    reject: (error: unknown) => void;
  }
  let waiting: Waiting[] = [];
  let running = 0;
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
    const group = waiting.slice(0, most);
    waiting = waiting.slice(most);
    if (!group.length) return;
    running++;
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
      schedule();
    }
  }
  return (item) =>
    new Promise<Out>((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      schedule();
    });
}
