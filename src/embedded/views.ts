// Views: a pipeline over a collection, or over another view, that is searched like a collection.
import { type Catalogue, type Collection, find } from './catalogue.ts';
import { type Doc, isDoc } from './documents.ts';
import { fault } from './errors.ts';
import { validatePipeline } from './pipeline.ts';

export function pipelineOf(view: Collection): Doc[] {
  const { pipeline } = view.options;
  return Array.isArray(pipeline) ? pipeline.filter(isDoc) : [];
}

/** What `create` says of a view; one that would come to stand on itself is refused. */
export function checkView(catalogue: Catalogue, database: string, body: Doc): void {
  const { create: name, viewOn, pipeline = [] } = body;
  if (viewOn === undefined) {
    if (body.pipeline !== undefined) fault(72, "'pipeline' requires 'viewOn' to also be specified");
    return;
  }
  if (typeof viewOn !== 'string' || viewOn === '') fault(2, "'viewOn' cannot be empty");
  if (!Array.isArray(pipeline))
    fault(14, "BSON field 'create.pipeline' is the wrong type, expected type 'array'");
  validatePipeline(pipeline);
  for (const stage of pipeline) {
    const [refused] = Object.keys(stage).filter((key) => key === '$out' || key === '$merge');
    if (refused) fault(167, `The aggregation stage ${refused} in a view definition is not allowed`);
  }
  for (let on: unknown = viewOn; typeof on === 'string'; on = find(catalogue, database, on)?.options.viewOn) {
    if (on === name) fault(5, `View cycle detected: ${database}.${name}`);
  }
}
