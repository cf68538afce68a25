// Taking a person out of the run log: lines about their tickets quote what was found there, and go.
import { runCollection } from './model.ts';

export const eraseFromRuns = (tickets: readonly string[]): Promise<unknown> =>
  runCollection().deleteMany({ ticket: { $in: [...tickets] } });
