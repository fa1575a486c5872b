import { collectDefaultMetrics, Registry } from 'prom-client';

/** Gauges whose names are those of counters; what they sum up is there by type. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** The registry of one service, with Node's own metrics in it. @param stream a label of every series */
export function createRegistry(stream: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ stream });
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return registry;
}
