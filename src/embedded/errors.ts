// Errors that are answered to a client as MongoDB would answer them: number, name and sentence.
// Anything else that is thrown in the engine is a bug of ours.

export class MongoFault extends Error {
  readonly code: number;
  readonly codeName: string;
  readonly extra: Record<string, unknown>;

  constructor(code: number, codeName: string, message: string, extra: Record<string, unknown> = {}) {
    super(message);
    this.name = 'MongoFault';
    this.code = code;
    this.codeName = codeName;
    this.extra = extra;
  }
}

export function bad(message: string, code = 2, codeName = 'BadValue'): never {
  throw new MongoFault(code, codeName, message);
}

/** Errors that MongoDB numbers without naming are called after their number. */
export function fault(code: number, message: string): never {
  throw new MongoFault(code, `Location${code}`, message);
}
