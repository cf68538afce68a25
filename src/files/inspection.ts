// Looking at a file while it streams past: how long it is, what its first bytes say, its hash. What is wrong ends the
// stream with the reason.
import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import { Refusal } from '../errors.ts';
import { easing } from './easing.ts';
import { checkedType, HEAD } from './types.ts';

export interface Inspection {
  through: Transform;
  /** When all has passed. */
  result: () => { size: number; type: string; sha256: string };
}

const refused = (reason: string, sentence: string, message: string) =>
  new Refusal(reason === 'empty' ? 'invalid' : 'large', `attachment.${reason}`, sentence, {
    details: [{ path: 'file', message }],
  });
export const tooLarge = (most: number): Refusal =>
  refused('too_large', `A file may have at most ${most} bytes.`, 'is too large');

export function inspection(name: string, most: number): Inspection {
  const hash = createHash('sha256');
  const ease = easing();
  let size = 0;
  let type: string | undefined;
  let held: Buffer[] = [];

  const release = async (stream: Transform) => {
    const head = Buffer.concat(held);
    held = [];
    type = await checkedType(name, head.subarray(0, HEAD));
    stream.push(head);
  };
  const through = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size > most) return done(tooLarge(most));
      hash.update(chunk);
      ease(chunk.length);
      if (type !== undefined) return done(null, chunk);
      held.push(chunk);
      if (size < HEAD) return done();
      release(this).then(() => done(), done);
    },
    flush(done) {
      if (size === 0) return done(refused('empty', 'The file is empty.', 'is empty'));
      if (type !== undefined) return done();
      release(this).then(() => done(), done);
    },
  });
  return { through, result: () => ({ size, type: type ?? '', sha256: hash.digest('hex') }) };
}
