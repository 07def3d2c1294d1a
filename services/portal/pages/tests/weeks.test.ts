import { describe, expect, it } from 'vitest';
import type { Step } from '../src/api';
import { mondayOf, spans, sundayOf, weeksOf } from '../src/officer/weeks';

/** Steps that take these hours, one after the other. */
const steps = (...hours: number[]): Step[] =>
  hours.map((each, i) => ({
    position: i + 1,
    course: { id: `c${i}`, hours: each },
    cumulative_hours: hours.slice(0, i + 1).reduce((sum, one) => sum + one, 0),
  })) as unknown as Step[];

describe('a path by week', () => {
  it.each([
    [2, [2, 2], [[0, 0], [1, 1]]],
    [4, [2, 2, 1], [[0, 0], [0, 0], [1, 1]]],
    [2, [5, 1], [[0, 2], [2, 2]]],
    [1, [0, 1], [[0, 0], [0, 0]]],
    [0.1, [0.3], [[0, 2]]],
    [168, [10, 20], [[0, 0], [0, 0]]],
  ])('at %d hours a week, %j hours', (weekly, hours, expected) => {
    expect(spans(steps(...hours), weekly).map(({ first, last }) => [first, last])).toEqual(expected);
  });

  it('names each week in which something begins, once and in order', () => {
    const weeks = weeksOf(steps(1, 1, 6, 1), 2, new Date(2026, 10, 26));
    expect(weeks.map((week) => [week.index, week.steps.length])).toEqual([
      [0, 2],
      [1, 1],
      [4, 1],
    ]);
    expect(weeks[1]?.monday).toEqual(new Date(2026, 10, 30, 12));
  });

  it.each([
    [new Date(2026, 10, 23, 0, 1), 23],
    [new Date(2026, 10, 29, 23, 59), 23],
    [new Date(2026, 11, 1), 30],
  ])('a week begins on its Monday: %s', (moment, day) => {
    expect(mondayOf(moment).getDate()).toBe(day);
    expect(sundayOf(mondayOf(moment)).getDay()).toBe(0);
  });
});
