// The arguments of $rename.
import { bad, fault } from './errors.ts';
import { isPositional } from './positions.ts';
import { show } from './showing.ts';

export function renaming(
  path: string,
  target: unknown,
): { target: string; modify: (old: unknown) => unknown } {
  if (typeof target !== 'string')
    bad(`The 'to' field for $rename must be a string: ${path}: ${show(target)}`);
  if (target === '') fault(56, 'An empty update path is not valid.');
  if (target.includes('\0')) bad("The 'to' field for $rename cannot contain an embedded null byte");
  if (target === path) {
    bad(`The source and target field for $rename must differ: ${path}: ${show(target)}`);
  }
  if (isPositional(path)) bad(`The source field for $rename may not be dynamic: ${path}`);
  if (isPositional(target)) bad(`The destination field for $rename may not be dynamic: ${target}`);
  return { target, modify: (old) => old };
}
