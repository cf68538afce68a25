// What this process counts, for Prometheus. One registry, shared by whoever runs in the process.
import { Registry } from 'prom-client';

export const metrics = new Registry();
