// Desks, their workflows and categories, and macros, over HTTP.
import { z } from 'zod';
import {
  addCategory,
  categoriesOf,
  categoryChange,
  categoryInput,
  categoryShape,
  readCategoryById,
  removeCategory,
  renameCategory,
} from '../../src/desks/categories.ts';
import { desksOf, findDesk } from '../../src/desks/desks.ts';
import {
  addDesk,
  changeDesk,
  deskChange,
  deskInput,
  deskQuery,
  deskShape,
  desks,
  readDesk,
  removeDesk,
  setWorkflow,
  workflowInput,
} from '../../src/desks/editing.ts';
import {
  addMacro,
  changeMacro,
  macroChange,
  macroInput,
  macroQuery,
  macroShape,
  macros,
  readMacro,
  removeMacro,
} from '../../src/desks/macros.ts';
import { pageOf, pageQuery } from '../../src/lists.ts';
import { pageOver } from '../../src/tickets/story.ts';
import { workflowShape } from '../../src/tickets/workflow.ts';
import { byId } from './params.ts';
import { type Route, route } from './route.ts';

const tag = 'Desks';
const at = '/api/v1/desks';

const deskOnly: Route[] = [
  route({
    method: 'get',
    path: at,
    tag,
    summary: 'The desks of the company',
    deed: 'desk.read',
    query: deskQuery,
    answer: pageOf(deskShape),
    run: ({ ctx, query }) => desks(ctx, query),
  }),
  route({
    method: 'post',
    path: at,
    tag,
    summary: 'Open a desk',
    deed: 'desk.manage',
    status: 201,
    body: deskInput,
    answer: deskShape,
    refuses: [409],
    run: ({ ctx, body }) => addDesk(ctx, body),
  }),
  route({
    method: 'get',
    path: `${at}/{id}`,
    tag,
    summary: 'A desk, by id or key',
    deed: 'desk.read',
    params: byId,
    answer: deskShape,
    run: ({ ctx, params }) => readDesk(ctx, params.id),
  }),
  ...(['put', 'patch'] as const).map((method) =>
    route({
      method,
      path: `${at}/{id}`,
      tag,
      summary: 'Change a desk',
      description: 'What is left out stays. The key never changes.',
      deed: 'desk.manage',
      params: byId,
      body: deskChange,
      answer: deskShape,
      refuses: [409],
      run: ({ ctx, params, body }) => changeDesk(ctx, params.id, body),
    }),
  ),
  route({
    method: 'delete',
    path: `${at}/{id}`,
    tag,
    summary: 'Close a desk',
    description: 'A desk that had tickets is closed and they stay; one that never had any is gone.',
    deed: 'desk.delete',
    params: byId,
    refuses: [409],
    run: ({ ctx, params }) => removeDesk(ctx, params.id),
  }),
  route({
    method: 'get',
    path: `${at}/{id}/workflow`,
    tag,
    summary: 'The states of a desk and the moves between them',
    deed: 'desk.read',
    params: byId,
    answer: workflowShape,
    run: async ({ ctx, params }) => (await findDesk(ctx.actor.company, params.id)).workflow,
  }),
  route({
    method: 'put',
    path: `${at}/{id}/workflow`,
    tag,
    summary: 'Give a desk a preset, steps of its own, or a whole workflow',
    deed: 'desk.manage',
    params: byId,
    body: workflowInput,
    answer: workflowShape,
    refuses: [409],
    run: ({ ctx, params, body }) => setWorkflow(ctx, params.id, body),
  }),
];

const categories: Route[] = [
  route({
    method: 'get',
    path: '/api/v1/categories',
    tag: 'Categories',
    summary: 'The categories of a desk, or of all',
    deed: 'desk.read',
    query: z.strictObject({ ...pageQuery, desk: z.string().max(40).optional() }),
    answer: pageOf(categoryShape),
    run: async ({ ctx, query }) => {
      const { company } = ctx.actor;
      const from =
        query.desk === undefined
          ? (await desksOf(company)).filter((desk) => desk.active)
          : [await findDesk(company, query.desk)];
      return pageOver(from.flatMap(categoriesOf), query);
    },
  }),
  route({
    method: 'post',
    path: '/api/v1/categories',
    tag: 'Categories',
    summary: 'Add a category to a desk',
    deed: 'desk.manage',
    status: 201,
    body: categoryInput,
    answer: categoryShape,
    refuses: [404, 409],
    run: ({ ctx, body }) => addCategory(ctx, body),
  }),
  route({
    method: 'get',
    path: '/api/v1/categories/{id}',
    tag: 'Categories',
    summary: 'A category',
    deed: 'desk.read',
    params: z.strictObject({ id: z.string().max(160) }),
    answer: categoryShape,
    run: ({ ctx, params }) => readCategoryById(ctx, params.id),
  }),
  route({
    method: 'patch',
    path: '/api/v1/categories/{id}',
    tag: 'Categories',
    summary: 'Rename a category',
    description:
      'Its id changes with its name. Its tickets get the new name, and so do the macros and rules that name it.',
    deed: 'desk.manage',
    params: z.strictObject({ id: z.string().max(160) }),
    body: categoryChange,
    answer: categoryShape,
    refuses: [409],
    run: ({ ctx, params, body }) => renameCategory(ctx, params.id, body.name),
  }),
  route({
    method: 'delete',
    path: '/api/v1/categories/{id}',
    tag: 'Categories',
    summary: 'Remove a category',
    deed: 'desk.manage',
    params: z.strictObject({ id: z.string().max(160) }),
    run: ({ ctx, params }) => removeCategory(ctx, params.id),
  }),
];

const macroRoutes: Route[] = [
  route({
    method: 'get',
    path: '/api/v1/macros',
    tag: 'Macros',
    summary: 'Canned replies and actions',
    deed: 'macro.use',
    query: macroQuery,
    answer: pageOf(macroShape),
    run: ({ ctx, query }) => macros(ctx, query),
  }),
  route({
    method: 'post',
    path: '/api/v1/macros',
    tag: 'Macros',
    summary: 'Add a macro',
    deed: 'macro.manage',
    status: 201,
    body: macroInput,
    answer: macroShape,
    refuses: [404, 409],
    run: ({ ctx, body }) => addMacro(ctx, body),
  }),
  route({
    method: 'get',
    path: '/api/v1/macros/{id}',
    tag: 'Macros',
    summary: 'A macro, by id or name',
    deed: 'macro.use',
    params: z.strictObject({ id: z.string().max(120) }),
    answer: macroShape,
    run: ({ ctx, params }) => readMacro(ctx, params.id),
  }),
  route({
    method: 'patch',
    path: '/api/v1/macros/{id}',
    tag: 'Macros',
    summary: 'Change a macro',
    deed: 'macro.manage',
    params: byId,
    body: macroChange,
    answer: macroShape,
    refuses: [409],
    run: ({ ctx, params, body }) => changeMacro(ctx, params.id, body),
  }),
  route({
    method: 'delete',
    path: '/api/v1/macros/{id}',
    tag: 'Macros',
    summary: 'Remove a macro',
    deed: 'macro.manage',
    params: byId,
    run: ({ ctx, params }) => removeMacro(ctx, params.id),
  }),
];

export const deskRoutes: Route[] = [...deskOnly, ...categories, ...macroRoutes];
