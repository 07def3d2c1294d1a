import { describe, expect, it } from 'vitest';
import { byPeriod, ends, finished, movements, spread } from '../src/officer/past';

const statement = (sequence: number, at: string, action: 'completed' | 'pin' = 'completed') => ({
  sequence,
  at,
  action,
  course: `c${sequence}`,
  title: null,
});
const skill = (name: string, level: number | null, framework = 'fw') => ({
  framework,
  skill: name,
  level,
  sd: level === null ? null : 0.5,
  measured_at: null,
  pieces: 1,
  latest: [],
});

describe('finished courses', () => {
  it('are sorted by the time when they were finished, not when that was stated, newest first', () => {
    const all = [statement(1, '2026-03-01T05:00:00Z'), statement(2, '2026-01-01T05:00:00Z'), statement(3, '2026-04-01T05:00:00Z', 'pin'), statement(4, '2026-03-01T05:00:00Z')];
    expect(finished(all).map((one) => one.sequence)).toEqual([4, 1, 2]);
  });

  it('are counted by month and year, oldest first', () => {
    const all = [statement(1, '2026-03-10T05:00:00Z'), statement(2, '2025-03-10T05:00:00Z'), statement(3, '2026-03-20T05:00:00Z')];
    expect(byPeriod(all).map(({ kind, begin, n }) => [kind, begin.getFullYear(), begin.getMonth(), n])).toEqual([
      ['month', 2025, 2, 1],
      ['month', 2026, 2, 2],
    ]);
    expect(byPeriod([])).toEqual([]);
  });

  it('are counted by year if there are more than 24 months', () => {
    const of = (n: number) => Array.from({ length: n }, (_, i) => statement(i + 1, new Date(2024, i, 15).toISOString()));
    expect(byPeriod(of(24)).map(({ kind }) => kind)).toEqual(Array(24).fill('month'));
    expect(byPeriod(of(25)).map(({ kind, begin, n }) => [kind, begin.getFullYear(), begin.getMonth(), n])).toEqual([
      ['year', 2024, 0, 12],
      ['year', 2025, 0, 12],
      ['year', 2026, 0, 1],
    ]);
  });
});

describe('levels over time', () => {
  it('are requested for a few moments, including the first and the last, each once', () => {
    const days = Array.from({ length: 20 }, (_, i) => `2026-01-${String(i + 1).padStart(2, '0')}T00:00:00Z`);
    const chosen = spread([...days].reverse(), 5);
    expect(chosen).toHaveLength(5);
    expect([chosen[0], chosen.at(-1)]).toEqual([days[0], days.at(-1)]);
    expect([...chosen].sort()).toEqual(chosen);
    expect(spread(['2026-01-01T00:00:00Z', '2026-01-01T07:00:00+07:00'], 5)).toHaveLength(1);
    expect(spread(days, 1)).toEqual([days.at(-1)]);
    expect(spread([], 5)).toEqual([]);
  });

  it('are listed for the skills of one framework that have a level; moments without a level are empty', () => {
    const before = { framework: 'fw', skills: [skill('a', 1), skill('c', null)] };
    const after = { framework: 'fw', skills: [skill('a', 2), skill('b', 3), skill('a', 4, 'old'), skill('c', null)] };
    expect(movements([before, after], 'fw')).toEqual([
      { skill: 'a', levels: [1, 2] },
      { skill: 'b', levels: [undefined, 3] },
    ]);
  });

  it('have a first and a last one, or a single one', () => {
    expect(ends([undefined, 3])).toEqual({ from: 3, to: 3, once: true });
    expect(ends([1, undefined, 0])).toEqual({ from: 1, to: 0, once: false });
  });
});
