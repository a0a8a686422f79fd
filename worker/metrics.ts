/**
 * What Prometheus reads of a worker: Temporal's own metrics of workflows, activities and polls, and what came of each message.
 * No label names a person, a number or an address.
 */
import { Runtime, type TelemetryOptions } from '@temporalio/worker';
import type { Config } from '../config.ts';
import type { Outcomes } from './senders.ts';

/** The exporter of Temporal's runtime; none where no address is configured. */
export function exporter(config: Config): Pick<TelemetryOptions, 'metrics'> {
  const bindAddress = config.FENGHUO_METRICS_ADDRESS;
  if (bindAddress === undefined) return {};
  return {
    metrics: {
      prometheus: { bindAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true },
    },
  };
}

/** Counts messages by channel and outcome. Without an exporter nothing is counted. */
export function messageCounter(config: Config): (outcomes: Outcomes) => void {
  if (config.FENGHUO_METRICS_ADDRESS === undefined) return () => undefined;
  const messages = Runtime.instance().metricMeter.createCounter(
    'fenghuo_messages',
    undefined,
    'Messages handed to a channel, by what came of them.',
  );
  return (outcomes) => {
    for (const { channel, outcome, count } of outcomes) messages.add(count, { channel, outcome });
  };
}
