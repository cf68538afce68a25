// Passwords: argon2id. A wrong password and an unknown account cost the same time.
import { z } from 'zod';
import { hashed, inTurn } from './hashing.ts';

const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
export const newPassword = z
  .string()
  .min(8, 'must have at least 8 characters')
  .max(1_000)
  .meta({ format: 'password', example: 'correct horse battery' });

export const hashPassword = (password: string): Promise<string> =>
  inTurn('', async () => String(await hashed({ against: null, password, cost })));

let stranger: Promise<string | boolean> | undefined;

/** To be asked in a turn (`inTurn`). */
export async function passwordFits(stored: string | null, password: string): Promise<boolean> {
  stranger ??= hashed({ against: null, password: 'nobody has this password', cost }).catch((error) => {
    stranger = undefined;
    throw error;
  });
  const fits = await hashed({ against: stored ?? String(await stranger), password, cost });
  return fits === true && stored !== null;
}
