// Passwords: argon2id. A wrong password and an unknown account cost the same time. Only so many are worked out at once,
// because each takes a processor for a twentieth of a second, and the others wait: for a while, not for ever.
import { hash, verify } from '@node-rs/argon2';
import { z } from 'zod';
import { busy } from '../errors.ts';

const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const AT_ONCE = 2;
const MOST_WAITING = 64;

export const newPassword = z
  .string()
  .min(8, 'must have at least 8 characters')
  .max(1_000)
  .meta({ format: 'password', example: 'correct horse battery' });

let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) {
    if (waiting.length >= MOST_WAITING)
      throw busy('auth.busy', 'Too many people are signing in just now. Try again in a moment.', 2);
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else running += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

export const hashPassword = (password: string): Promise<string> => inTurn(() => hash(password, COST));

let stranger: Promise<string> | undefined;

/** `stillWelcome` is asked when it is our turn, just before the costly part: it may throw. */
export async function passwordFits(
  hashed: string | null,
  password: string,
  stillWelcome: () => Promise<void> = async () => {},
): Promise<boolean> {
  stranger ??= hash('nobody has this password', COST);
  const known = hashed ?? (await stranger);
  return inTurn(async () => {
    await stillWelcome();
    const fits = await verify(known, password);
    return fits && hashed !== null;
  });
}
