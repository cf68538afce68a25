// Companies over HTTP.
import { z } from 'zod';
import { pageOf } from '../../src/lists.ts';
import {
  changeCompany,
  closeCompany,
  companies,
  companyChange,
  companyInput,
  companyQuery,
  companyShape,
  openCompany,
  readCompany,
  TOGGLES,
  toggle,
} from '../../src/people/company.ts';
import { byId } from './params.ts';
import { type Route, route } from './route.ts';

const tag = 'Companies';
const at = '/api/v1/companies';

export const companyRoutes: Route[] = [
  route({
    method: 'get',
    path: at,
    tag,
    summary: 'The own company; for operators, all',
    deed: 'company.read',
    query: companyQuery,
    answer: pageOf(companyShape),
    run: ({ ctx, query }) => companies(ctx, query),
  }),
  route({
    method: 'post',
    path: at,
    tag,
    summary: 'Open a company',
    description: 'Operators only: administrators of the first company.',
    deed: 'company.manage',
    status: 201,
    body: companyInput,
    answer: companyShape,
    refuses: [403, 409],
    run: ({ ctx, body }) => openCompany(ctx, body),
  }),
  route({
    method: 'get',
    path: `${at}/{id}`,
    tag,
    summary: 'A company',
    deed: 'company.read',
    params: byId,
    answer: companyShape,
    run: ({ ctx, params }) => readCompany(ctx, params.id),
  }),
  ...(['put', 'patch'] as const).map((method) =>
    route({
      method,
      path: `${at}/{id}`,
      tag,
      summary: 'Change a company',
      description: 'What is left out stays.',
      deed: 'company.manage',
      params: byId,
      body: companyChange,
      answer: companyShape,
      refuses: [409],
      run: ({ ctx, params, body }) => changeCompany(ctx, params.id, body),
    }),
  ),
  route({
    method: 'delete',
    path: `${at}/{id}`,
    tag,
    summary: 'Close a company',
    description: 'Its people cannot sign in any more. Operators only; not the first company.',
    deed: 'company.manage',
    params: byId,
    refuses: [403, 409],
    run: ({ ctx, params }) => closeCompany(ctx, params.id),
  }),
  route({
    method: 'post',
    path: `${at}/{id}/toggle/{which}`,
    tag,
    summary: 'Turn an automatism on or off',
    deed: 'company.manage',
    params: byId.extend({ which: z.enum(TOGGLES) }),
    body: z.strictObject({}),
    answer: companyShape,
    run: ({ ctx, params }) => toggle(ctx, params.id, params.which),
  }),
];
