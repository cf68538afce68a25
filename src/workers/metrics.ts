// What the workers count. The registry is the process's own; whoever serves HTTP shows it.
import { Counter, Gauge, Histogram } from 'prom-client';
import { metrics } from '../metrics.ts';

export const deliveriesTotal = new Counter({
  name: 'switchboard_deliveries_total',
  help: 'Attempts to deliver, by outcome',
  labelNames: ['surface', 'outcome'] as const,
  registers: [metrics],
});
export const deliverySeconds = new Histogram({
  name: 'switchboard_delivery_seconds',
  help: 'How long one attempt to deliver took',
  labelNames: ['surface'] as const,
  buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  registers: [metrics],
});
export const relayLag = new Gauge({
  name: 'switchboard_relay_lag_seconds',
  help: 'Age of the oldest change that the relay has not seen to',
  registers: [metrics],
});
export const relayedTotal = new Counter({
  name: 'switchboard_relayed_entries_total',
  help: 'History entries relayed',
  registers: [metrics],
});
export const poisonedTotal = new Counter({
  name: 'switchboard_poisoned_total',
  help: 'Tickets set aside because their entries could not be relayed',
  registers: [metrics],
});
export const deadlineLag = new Gauge({
  name: 'switchboard_deadline_lag_seconds',
  help: 'How long the longest due deadline has been waiting',
  registers: [metrics],
});
export const breachesTotal = new Counter({
  name: 'switchboard_sla_breaches_total',
  help: 'Promises that were not kept',
  registers: [metrics],
});
export const queueDepth = new Gauge({
  name: 'switchboard_queue_depth',
  help: 'Jobs by queue and state',
  labelNames: ['queue', 'state'] as const,
  registers: [metrics],
});
export const waitingDeliveries = new Gauge({
  name: 'switchboard_deliveries_waiting',
  help: 'Deliveries that are due and not settled',
  registers: [metrics],
});
