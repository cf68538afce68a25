// When one company has a great deal to do and others are about, it goes in small steps, so that nobody waits for
// somebody else's burst. Alone it may do as much as there is room for.

const ABOUT_MS = 2_000;

/** Who wanted something a moment ago. */
export interface About {
  came: (company: string) => void;
  /** Was there anybody besides this company? */
  isBeside: (company: string) => boolean;
}

export function watchCompanies(): About {
  let last = { company: '', at: Number.NEGATIVE_INFINITY };
  /** When somebody else than the last one came. */
  let other = Number.NEGATIVE_INFINITY;
  return {
    came: (company) => {
      if (!company) return;
      if (company !== last.company) other = last.at;
      last = { company, at: performance.now() };
    },
    isBeside: (company) => performance.now() - (company === last.company ? other : last.at) < ABOUT_MS,
  };
}

/** So many of one company at once while others are about. */
const ABREAST = 5;
const LOOK_EVERY_MS = 250;

/** For what costs us something. Whoever only waits for somebody has left: that costs nobody anything. */
export interface Turnstile {
  /** Resolves when it may begin; undefined: at once. */
  enter: (company: string, id: string) => Promise<void> | undefined;
  leave: (company: string, id: string) => void;
  /** Everybody may go, to see for themselves that it is over. */
  open: () => void;
}

interface Waiting {
  id: string;
  go: () => void;
}
interface Gate {
  inside: Set<string>;
  line: Waiting[];
}

export function openTurnstile({ isBeside }: Pick<About, 'isBeside'>): Turnstile {
  const gates = new Map<string, Gate>();
  let timer: NodeJS.Timeout | undefined;
  let isOpen = false;
  const isFull = (company: string, { inside }: Gate): boolean =>
    inside.size >= ABREAST && !isOpen && isBeside(company);
  const letIn = (company: string, gate: Gate) => {
    while (gate.line.length && !isFull(company, gate)) {
      const next = gate.line.shift();
      if (!next) break;
      gate.inside.add(next.id);
      next.go();
    }
    if (!gate.line.length && !gate.inside.size) gates.delete(company);
  };
  const letAllIn = () => {
    timer = undefined;
    for (const [company, gate] of gates) letIn(company, gate);
    if ([...gates.values()].some(({ line }) => line.length)) timer ??= setTimeout(letAllIn, LOOK_EVERY_MS);
  };
  return {
    enter: (company, id) => {
      const gate: Gate = gates.get(company) ?? { inside: new Set(), line: [] };
      gates.set(company, gate);
      if (!gate.line.length && !isFull(company, gate)) {
        gate.inside.add(id);
        return undefined;
      }
      timer ??= setTimeout(letAllIn, LOOK_EVERY_MS);
      return new Promise<void>((go) => gate.line.push({ id, go }));
    },
    leave: (company, id) => {
      const gate = gates.get(company);
      if (!gate) return;
      gate.inside.delete(id);
      letIn(company, gate);
    },
    open: () => {
      isOpen = true;
      clearTimeout(timer);
      letAllIn();
    },
  };
}
