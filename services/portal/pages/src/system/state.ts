/** Figures of services, computed from those of their replicas. Pure. */

import type { ReplicaState, ServiceState } from './requests';

export type Verdict = 'good' | 'look' | 'bad';

/** The figures of a service; undefined if no replica reports them. */
export interface Figures {
  lag: number | undefined;
  outbox: number | undefined;
  dead: number | undefined;
  skipped: number | undefined;
}

const valuesOf = (replicas: readonly ReplicaState[], ...metrics: string[]): number[] =>
  replicas.flatMap(({ figures }) => metrics.flatMap((metric) => figures[metric] ?? []));
const sum = (values: number[]): number | undefined => (values.length ? values.reduce((a, b) => a + b) : undefined);
const most = (values: number[]): number | undefined => (values.length ? Math.max(...values) : undefined);

/** Return the figures of a service. Each replica reads its own share, and all of them count the same outbox. */
export function figuresOf({ replicas }: ServiceState): Figures {
  return {
    lag: sum(valuesOf(replicas, 'learning_path_consumer_lag_records', 'learning_path_follower_lag_records')),
    outbox: most(valuesOf(replicas, 'learning_path_outbox_pending_documents')),
    dead: sum(valuesOf(replicas, 'learning_path_consumer_dead_lettered_events_total')),
    skipped: sum(valuesOf(replicas, 'learning_path_follower_skipped_records_total', 'learning_path_plans_rejected_total')),
  };
}

/** Return whether a service works: `bad` without a ready replica, `look` if an operator should check it. */
export function verdictOf(service: ServiceState): Verdict {
  const ready = service.replicas.filter(({ status }) => status === 'ready');
  if (!ready.length) return 'bad';
  const { dead, skipped } = figuresOf(service);
  const versions = new Set(ready.map(({ version }) => version));
  const warned = service.replicas.some(({ warnings }) => Object.keys(warnings).length > 0);
  const unsent = most(valuesOf(service.replicas, 'learning_path_relay_unsendable_documents')) ?? 0;
  const whole = ready.length === service.replicas.length && versions.size === 1;
  return whole && !warned && !dead && !skipped && !unsent ? 'good' : 'look';
}

/** Return the worst of some verdicts. */
export const worst = (verdicts: readonly Verdict[]): Verdict =>
  verdicts.includes('bad') ? 'bad' : verdicts.includes('look') ? 'look' : 'good';

/** Return what is wrong with a replica: the checks that fail, and what it warns of. */
export const troublesOf = ({ checks, warnings }: ReplicaState): [string, string][] =>
  [...Object.entries(checks).filter(([, detail]) => detail !== 'ok'), ...Object.entries(warnings)];
