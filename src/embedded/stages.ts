// What a pipeline stage is: a function of a stream of documents, compiled from its specification.

import type { Doc } from './documents.ts';
import { fault, LACKING } from './errors.ts';
import type { MatchEnv } from './matching.ts';
import type { Scope } from './operators.ts';

export interface PipelineEnv extends MatchEnv {
  scope: Scope;
  /** The documents of another collection, by its indexes where the filter lets it. */
  source(collection: string, filter: Doc, scope: Scope): Iterable<Doc>;
}

export type Stream = Iterable<Doc>;
export type Stage = (docs: Stream) => Stream;
export type CompilePipeline = (stages: unknown, env: PipelineEnv) => Stage;
export type StageForm = (spec: unknown, env: PipelineEnv, compile: CompilePipeline, name: string) => Stage;

export function refuseStage(name: string): never {
  if (name === '$changeStream') fault(40573, 'The $changeStream stage is only supported on replica sets');
  fault(40324, `Unrecognized pipeline stage name: '${name}' ${LACKING}`);
}
