// Automation rules over HTTP: keeping them, rehearsing them, and what became of them.

import { z } from 'zod';
import { readyRules, readyShape, switchOn, switchOnInput } from '../../src/automation/ready.ts';
import {
  rehearsalShape,
  rehearseDraft,
  rehearseDraftInput,
  rehearseInput,
  rehearseRule,
} from '../../src/automation/rehearsing.ts';
import { ruleInput, rulePatch, ruleShape } from '../../src/automation/rule.ts';
import {
  addRule,
  changeRule,
  readRule,
  removeRule,
  replaceRule,
  ruleQuery,
  rules,
  savedRuleShape,
} from '../../src/automation/rules.ts';
import { runQuery, runShape, runs } from '../../src/automation/runs.ts';
import { pageOf } from '../../src/lists.ts';
import { byId } from './params.ts';
import { type Route, route } from './route.ts';

const tag = 'Automation';
const at = '/api/v1/workflows';

const REHEARSAL =
  'Runs it over the history of the last days, with each ticket as it then was, and writes nothing: which tickets it would have changed from what to what, and why it would not have matched the others. Other rules are left out of it.';

export const workflowRoutes: Route[] = [
  route({
    method: 'get',
    path: at,
    tag,
    summary: 'The automation rules, in the order in which they look at what happens',
    deed: 'rule.read',
    query: ruleQuery,
    answer: pageOf(ruleShape),
    run: ({ ctx, query }) => rules(ctx, query),
  }),
  route({
    method: 'post',
    path: at,
    tag,
    summary: 'Make an automation rule',
    description:
      'When one of the events happens (or time passes), if the condition holds, then the deeds are done: all of them as one change. `warnings` tell of rules that would set each other off.',
    deed: 'rule.manage',
    status: 201,
    body: ruleInput,
    answer: savedRuleShape,
    refuses: [409],
    run: ({ ctx, body }) => addRule(ctx, body),
  }),
  route({
    method: 'get',
    path: `${at}/templates`,
    tag,
    summary: 'Ready-made rules to switch on',
    deed: 'rule.read',
    answer: z.object({ items: z.array(readyShape) }),
    run: async ({ ctx }) => ({ items: readyRules(ctx) }),
  }),
  route({
    method: 'post',
    path: `${at}/templates/{id}`,
    tag,
    summary: 'Switch a ready-made rule on',
    description: 'It becomes a rule like any other, to be changed at will.',
    deed: 'rule.manage',
    status: 201,
    params: byId,
    body: switchOnInput,
    answer: savedRuleShape,
    refuses: [409],
    run: ({ ctx, params, body }) => switchOn(ctx, params.id, body),
  }),
  route({
    method: 'post',
    path: `${at}/rehearse`,
    tag,
    summary: 'Rehearse a rule before it is saved',
    description: REHEARSAL,
    deed: 'rule.read',
    body: rehearseDraftInput,
    answer: rehearsalShape,
    run: ({ ctx, body }) => rehearseDraft(ctx, body),
  }),
  route({
    method: 'post',
    path: `${at}/{id}/rehearse`,
    tag,
    summary: 'Rehearse a rule on what has happened',
    description: REHEARSAL,
    deed: 'rule.read',
    params: byId,
    body: rehearseInput,
    answer: rehearsalShape,
    run: ({ ctx, params, body }) => rehearseRule(ctx, params.id, body),
  }),
  route({
    method: 'get',
    path: `${at}/{id}`,
    tag,
    summary: 'An automation rule',
    deed: 'rule.read',
    params: byId,
    answer: ruleShape,
    run: ({ ctx, params }) => readRule(ctx, params.id),
  }),
  route({
    method: 'put',
    path: `${at}/{id}`,
    tag,
    summary: 'Say an automation rule anew',
    description: 'What is left out goes back to its beginning; the position stays.',
    deed: 'rule.manage',
    params: byId,
    body: ruleInput,
    answer: savedRuleShape,
    refuses: [409],
    run: ({ ctx, params, body }) => replaceRule(ctx, params.id, body),
  }),
  route({
    method: 'patch',
    path: `${at}/{id}`,
    tag,
    summary: 'Change an automation rule, switch it on or off',
    deed: 'rule.manage',
    params: byId,
    body: rulePatch,
    answer: savedRuleShape,
    refuses: [409],
    run: ({ ctx, params, body }) => changeRule(ctx, params.id, body),
  }),
  route({
    method: 'delete',
    path: `${at}/{id}`,
    tag,
    summary: 'Remove an automation rule',
    deed: 'rule.manage',
    params: byId,
    run: ({ ctx, params }) => removeRule(ctx, params.id),
  }),
  route({
    method: 'get',
    path: `${at}/{id}/runs`,
    tag,
    summary: 'What became of an automation rule: what fired, what did not and why',
    description:
      'The latest first. What came to nothing is kept for 2 days and in part, the rest for 30 days.',
    deed: 'rule.read',
    params: byId,
    query: runQuery,
    answer: pageOf(runShape),
    run: ({ ctx, params, query }) => runs(ctx, params.id, query),
  }),
];
