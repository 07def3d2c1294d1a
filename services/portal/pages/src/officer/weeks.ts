/** A path by weeks: which course is studied in which week. Pure, no DOM. */

import type { Step } from '../api';

const DAY_MS = 86_400_000;

/** A week from its Monday on, and the steps that are begun in it. */
export interface Week {
  /** 0: the present week. */
  index: number;
  monday: Date;
  steps: Step[];
}

/** When a step is studied: the weeks in which it begins and ends, 0 being the present one. */
export interface Span {
  first: number;
  last: number;
}

/** Return the noon of the Monday of a moment's week, `index` weeks later. */
export function mondayOf(moment: Date, index = 0): Date {
  const noon = new Date(moment.getFullYear(), moment.getMonth(), moment.getDate(), 12);
  const back = (noon.getDay() + 6) % 7;
  return new Date(noon.getFullYear(), noon.getMonth(), noon.getDate() - back + 7 * index, 12);
}

/** Return the last day, a Sunday, of the week that begins at a Monday. */
export const sundayOf = (monday: Date): Date => new Date(monday.getTime() + 6 * DAY_MS);

/** Return when each step is studied, at `weekly` hours a week (above 0), one after the other. */
export function spans(steps: Step[], weekly: number): Span[] {
  return steps.map(({ course, cumulative_hours }) => {
    const begins = Math.max(0, cumulative_hours - course.hours);
    const first = Math.floor(begins / weekly + 1e-9);
    return { first, last: Math.max(first, Math.ceil(cumulative_hours / weekly - 1e-9) - 1) };
  });
}

/** Return the weeks in which a step is begun, in order, at `weekly` hours a week (above 0). */
export function weeksOf(steps: Step[], weekly: number, now: Date): Week[] {
  const weeks = new Map<number, Step[]>();
  spans(steps, weekly).forEach(({ first }, i) => {
    const step = steps[i];
    if (step) weeks.set(first, [...(weeks.get(first) ?? []), step]);
  });
  return [...weeks].map(([index, members]) => ({ index, monday: mondayOf(now, index), steps: members }));
}
