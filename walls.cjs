// The walls of the house (DESIGN: the laws). `npm run walls` fails when a room is entered through the window.
// tests/house.test.ts breaks each of them on purpose and sees that it fires.
const only = (name, pkg, where) => ({
  name,
  severity: 'error',
  from: { path: '^(src|adapters)/', pathNot: where },
  to: { path: `(^|node_modules/)${pkg}(/|$)` },
});

const PURE =
  '^src/(tickets/(ticket|birth|workflow|assignment)|desks/desk|sla/(zone|calendar|clock|explain|policy|targets|firing)|people/access|history/(entry|parts)|automation/(rule|fields|condition|loops|turn)|routing/(rule|routing|rota|fit)|notify/(channel|recipients|messages)|hooks/signature|enrich/classify)\\.ts$';

module.exports = {
  forbidden: [
    {
      name: 'core-knows-no-adapter',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/main\\.ts$' },
      to: { path: '^adapters/' },
    },
    {
      name: 'adapters-are-strangers',
      severity: 'error',
      from: { path: '^adapters/([^/]+)/' },
      to: { path: '^adapters/', pathNot: '^adapters/$1/' },
    },
    {
      name: 'one-door-per-adapter',
      severity: 'error',
      from: { path: '^src/main\\.ts$' },
      to: { path: '^adapters/', pathNot: '^adapters/[^/]+/index\\.ts$' },
    },
    {
      name: 'model-is-private',
      severity: 'error',
      from: { path: '^src/([^/]+)(/|\\.ts$)|^adapters/' },
      to: { path: '/model\\.ts$', pathNot: '^src/$1/model\\.ts$' },
    },
    {
      name: 'rules-are-pure',
      severity: 'error',
      from: { path: PURE },
      to: {
        pathNot: [PURE, '^src/(errors|context|complaints)\\.ts$', 'node_modules/(zod|luxon|@types/luxon)/'],
        dependencyTypesNot: ['core'],
      },
    },
    {
      name: 'only-workers-queue',
      severity: 'error',
      from: { path: '^(src|adapters)/', pathNot: '^src/(workers/|main\\.ts)' },
      to: { path: '^src/workers/' },
    },
    {
      name: 'engine-knows-no-product',
      severity: 'error',
      from: { path: '^src/embedded/' },
      to: { path: '^(src|adapters)/', pathNot: '^src/embedded/' },
    },
    {
      name: 'product-knows-no-engine',
      severity: 'error',
      from: { path: '^(src|adapters)/', pathNot: '^src/(embedded/|main\\.ts)' },
      to: { path: '^src/embedded/' },
    },
    only('slack-lives-in-slack', '@slack', ['^adapters/slack/']),
    only('discord-lives-in-discord', 'discord\\.js', ['^adapters/discord/']),
    only('mail-lives-in-email', '(imapflow|mailparser|nodemailer)', ['^adapters/email/']),
    only('express-lives-at-the-edge', 'express', ['^adapters/(http|webhooks|slack|console|dialects)/']),
    only('queues-live-in-workers', '(bullmq|ioredis)', ['^src/workers/']),
    only('mongoose-lives-in-models', 'mongoose', ['^src/[^/]+/model\\.ts$', '^src/(store|once|inbox)\\.ts$']),
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'nothing-needs-tests',
      severity: 'error',
      from: { path: '^(src|adapters|scripts)/' },
      to: { path: '^tests/' },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
