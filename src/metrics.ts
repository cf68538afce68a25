// What this process counts, for Prometheus. One registry, shared by whoever runs in the process; what the workers count
// stands with them.
import { Counter, Registry } from 'prom-client';

export const metrics = new Registry();

export const ruleRunsTotal = new Counter({
  name: 'switchboard_rule_runs_total',
  help: 'Automation rules that looked at a ticket, by what became of it',
  labelNames: ['outcome'] as const,
  registers: [metrics],
});
export const routedTotal = new Counter({
  name: 'switchboard_routed_tickets_total',
  help: 'Tickets given out by routing rules: given, overtaken (somebody was quicker) or failed',
  labelNames: ['outcome'] as const,
  registers: [metrics],
});
