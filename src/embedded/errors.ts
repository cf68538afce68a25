// Errors that are answered to a client as MongoDB would answer them: number, name and sentence.
// Anything else that is thrown in the engine is a bug of ours.

import { words } from './words.ts';

/** Errors that MongoDB numbers without naming are called after their number. */
const NAMES = new Map(
  words(`1:InternalError 2:BadValue 8:UnknownError 9:FailedToParse 13:Unauthorized
  14:TypeMismatch 16:InvalidLength 18:AuthenticationFailed 20:IllegalOperation 22:InvalidBSON
  26:NamespaceNotFound 27:IndexNotFound 28:PathNotViable 40:ConflictingUpdateOperators 43:CursorNotFound
  48:NamespaceExists 50:MaxTimeMSExpired 52:DollarPrefixedFieldName 53:InvalidIdField
  54:NotSingleValueField 56:EmptyFieldName 59:CommandNotFound 66:ImmutableField 67:CannotCreateIndex
  72:InvalidOptions 73:InvalidNamespace 76:NoReplicationEnabled 85:IndexOptionsConflict
  86:IndexKeySpecsConflict 115:CommandNotSupported 123:NotAReplicaSet
  146:ExceededMemoryLimit 168:InvalidPipelineOperator 171:CannotIndexParallelArrays 197:InvalidIndexSpecificationOption
  241:ConversionFailure 276:IndexBuildAborted 292:QueryExceededMemoryLimitNoDiskUseAllowed
  10334:BSONObjectTooLarge 11000:DuplicateKey 11601:Interrupted 13113:MergeStageNoMatchingDocument
  14031:OutOfDiskSpace`).map((entry) => entry.split(':') as [code: string, name: string]),
);

export class MongoFault extends Error {
  readonly code: number;
  readonly codeName: string;
  readonly extra: Record<string, unknown>;

  constructor(code: number, message: string, extra: Record<string, unknown> = {}) {
    super(message);
    this.name = 'MongoFault';
    this.code = code;
    this.codeName = NAMES.get(String(code)) ?? `Location${code}`;
    this.extra = extra;
  }
}

export function fault(code: number, message: string, extra?: Record<string, unknown>): never {
  throw new MongoFault(code, message, extra);
}

export function bad(message: string): never {
  fault(2, message);
}

export function unsupported(what: string): never {
  fault(115, `${what} is not supported by the embedded engine`);
}

/** Said of a name that is unknown here, be it known to MongoDB or not. */
export const LACKING = '(the embedded engine does not have it)';
