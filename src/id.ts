// Identifiers: opaque, 24 hex characters, in order of time. One made from a seed is always the same one, which is
// what makes a redone creation find what the first try left behind.
import { createHash, randomBytes } from 'node:crypto';

let last = 0;
let count = 0;
const process4 = randomBytes(4).toString('hex');

export function newId(now: Date = new Date()): string {
  const ms = now.getTime();
  count = ms === last ? count + 1 : Math.floor(Math.random() * 256);
  last = ms;
  return (
    ms.toString(16).padStart(12, '0') +
    process4.slice(0, 6) +
    (count % 0x1000000).toString(16).padStart(6, '0')
  );
}

export const idFrom = (...seed: string[]): string =>
  createHash('sha256').update(JSON.stringify(seed)).digest('hex').slice(0, 24);

export const isId = (text: string): boolean => /^[0-9a-f]{24}$/.test(text);
