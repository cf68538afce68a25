// Passwords: argon2id. A wrong password and an unknown account cost the same time.
import { z } from 'zod';
import { inTurn } from './hashing.ts';

const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const welcome = async () => {};

export const newPassword = z
  .string()
  .min(8, 'must have at least 8 characters')
  .max(1_000)
  .meta({ format: 'password', example: 'correct horse battery' });

export const hashPassword = async (password: string): Promise<string> =>
  String(await inTurn({ hashed: null, password, cost }, welcome));

let stranger: Promise<string> | undefined;

/** `stillWelcome` is asked when it is our turn, just before the costly part: it may throw. */
export async function passwordFits(
  hashed: string | null,
  password: string,
  stillWelcome: () => Promise<void> = welcome,
): Promise<boolean> {
  stranger ??= hashPassword('nobody has this password').catch((error) => {
    stranger = undefined;
    throw error;
  });
  const fits = await inTurn({ hashed: hashed ?? (await stranger), password, cost }, stillWelcome);
  return fits === true && hashed !== null;
}
