// What is kept must not be readable where it is kept: sealing with AES-256-GCM under keys derived from SECRET_KEY, one
// for each purpose; and comparing without telling how much was right.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

let master = '';
/** Called once by main with the configured key. */
export function useSecretKey(key: string): void {
  master = key;
}

function keyFor(purpose: string): Buffer {
  if (!master) throw new Error('no secret key yet');
  return Buffer.from(hkdfSync('sha256', master, 'switchboard', purpose, 32));
}

export function seal(purpose: string, text: string): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keyFor(purpose), iv);
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url');
}

export function unseal(purpose: string, sealed: string): string {
  const bytes = Buffer.from(sealed, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', keyFor(purpose), bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(12, 28));
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
}

export const fingerprint = (text: string | Buffer): string =>
  createHash('sha256').update(text).digest('base64url');
export const signFor = (purpose: string, text: string): string =>
  createHmac('sha256', keyFor(purpose)).update(text).digest('base64url');

/** Equal, without a hint from the time it takes; unequal lengths are simply unequal. */
export function sameSecret(a: string, b: string): boolean {
  const [x, y] = [createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest()];
  return timingSafeEqual(x, y);
}
