// Passwords: argon2id. A wrong password and an unknown account cost the same time.
import { hash, verify } from '@node-rs/argon2';

const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
let stranger: Promise<string> | undefined;

export const hashPassword = (password: string): Promise<string> => hash(password, COST);

export async function passwordFits(hashed: string | null, password: string): Promise<boolean> {
  stranger ??= hashPassword('nobody has this password');
  const fits = await verify(hashed ?? (await stranger), password);
  return fits && hashed !== null;
}
