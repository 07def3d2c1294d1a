import { describe, expect, it } from 'vitest';
import type { ReplicaState } from '../src/system/requests';
import { figuresOf, troublesOf, verdictOf, worst } from '../src/system/state';

const replica = (more: Partial<ReplicaState> = {}): ReplicaState => ({
  number: 1,
  status: 'ready',
  version: '1',
  started_at: '2026-11-26T00:00:00Z',
  checks: { mongodb: 'ok' },
  warnings: {},
  figures: {},
  ...more,
});
const service = (...replicas: ReplicaState[]) => ({ service: 'catalog' as const, replicas });
const figure = (name: string, value: number) => replica({ figures: { [`learning_path_${name}`]: value } });

describe('the state of a service', () => {
  it('adds the counts of what replicas read, and takes the largest count of the shared outbox', () => {
    const both = (lag: number, followed: number, outbox: number) =>
      replica({
        figures: {
          learning_path_consumer_lag_records: lag,
          learning_path_follower_lag_records: followed,
          learning_path_outbox_pending_documents: outbox,
        },
      });
    expect(figuresOf(service(both(1, 2, 5), both(3, 0, 4)))).toEqual({ lag: 6, outbox: 5, dead: undefined, skipped: undefined });
  });

  it('is bad only if no replica is ready', () => {
    expect(verdictOf(service(replica()))).toBe('good');
    expect(verdictOf(service(replica({ status: 'away' })))).toBe('bad');
    expect(verdictOf(service(replica({ status: 'not ready' }), replica({ status: 'draining' })))).toBe('bad');
    expect(verdictOf(service(replica(), replica({ status: 'away' })))).toBe('look');
    expect(worst(['good', 'look', 'bad'])).toBe('bad');
    expect(worst(['good', 'look'])).toBe('look');
    expect(worst([])).toBe('good');
  });

  it.each([
    ['a warning', service(replica({ warnings: { topics: 'too few' } }))],
    ['two releases', service(replica(), replica({ version: '2' }))],
    ['dead letters', service(figure('consumer_dead_lettered_events_total', 1))],
    ['skipped records', service(figure('follower_skipped_records_total', 1))],
    ['refused paths', service(figure('plans_rejected_total', 1))],
    ['events that no broker takes', service(figure('relay_unsendable_documents', 1))],
  ])('asks to look at %s', (_, state) => {
    expect(verdictOf(state)).toBe('look');
  });

  it('does not ask operators to check work in progress', () => {
    expect(verdictOf(service(figure('consumer_lag_records', 500)))).toBe('good');
  });

  it('lists which checks fail, and every warning', () => {
    const troubles = troublesOf(replica({ checks: { mongodb: 'ok', kafka: 'no answer' }, warnings: { topics: 'too few' } }));
    expect(troubles).toEqual([['kafka', 'no answer'], ['topics', 'too few']]);
  });
});
