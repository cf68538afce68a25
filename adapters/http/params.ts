// The parts of paths that many routes have.
import { z } from 'zod';

const id = z.string().min(1).max(64);
export const byId = z.strictObject({ id });
export const byIdAnd = <Name extends string>(name: Name) =>
  z.strictObject({ id, [name]: id } as { id: typeof id } & Record<Name, typeof id>);
