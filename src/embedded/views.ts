// Views: a pipeline over a collection, or over another view, that is searched like a collection.
import { type Catalogue, type Collection, find } from './catalogue.ts';
import { type Doc, isDoc } from './documents.ts';
import { bad, MongoFault } from './errors.ts';
import { validatePipeline } from './pipeline.ts';

export function pipelineOf(view: Collection): Doc[] {
  const { pipeline } = view.options;
  return Array.isArray(pipeline) ? pipeline.filter(isDoc) : [];
}

/** What `create` says of a view; one that would come to stand on itself is refused. */
export function checkView(catalogue: Catalogue, database: string, body: Doc): void {
  const { create: name, viewOn, pipeline = [] } = body;
  if (viewOn === undefined) {
    if (body.pipeline !== undefined)
      bad("'pipeline' requires 'viewOn' to also be specified", 72, 'InvalidOptions');
    return;
  }
  if (typeof viewOn !== 'string' || viewOn === '') bad("'viewOn' cannot be empty", 2, 'BadValue');
  if (!Array.isArray(pipeline))
    bad("BSON field 'create.pipeline' is the wrong type, expected type 'array'", 14, 'TypeMismatch');
  validatePipeline(pipeline);
  for (const stage of pipeline) {
    const [refused] = Object.keys(stage).filter((key) => key === '$out' || key === '$merge');
    if (refused)
      bad(
        `The aggregation stage ${refused} in a view definition is not allowed`,
        167,
        'OptionNotSupportedOnView',
      );
  }
  for (let on: unknown = viewOn; typeof on === 'string'; on = find(catalogue, database, on)?.options.viewOn) {
    if (on === name)
      throw new MongoFault(5, 'GraphContainsCycle', `View cycle detected: ${database}.${name}`);
  }
}
