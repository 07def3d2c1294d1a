/** The difference between two paths. Pure, no DOM. */

import type { CourseCard, LearningPath, Recommended } from '../api';

export interface Difference {
  added: CourseCard[];
  removed: CourseCard[];
  moved: CourseCard[];
  /** Before and after: hours, and shares of the requirement held today and with all courses done. */
  hours: [number, number];
  now: [number, number];
  reached: [number, number];
  /** Whether both have a requirement to measure shares by. */
  measured: boolean;
}

/** News of a path: when and why it came, and what it changes, if one was shown before. */
export interface Change {
  at: Date;
  cause: Recommended['cause'];
  difference: Difference | undefined;
  path: LearningPath;
}

/** Return the longest run of course ids that both orders share, as a set: what is in both and not in it has moved. */
function kept(before: string[], after: string[]): Set<string> {
  const lengths = Array.from({ length: before.length + 1 }, () => new Array<number>(after.length + 1).fill(0));
  const length = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      const longest = before[i] === after[j] ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1));
      (lengths[i] ?? []).splice(j, 1, longest);
    }
  }
  const run = new Set<string>();
  for (let i = 0, j = 0; i < before.length && j < after.length; ) {
    const course = before[i];
    if (course !== undefined && course === after[j]) {
      run.add(course);
      i += 1;
      j += 1;
    } else if (length(i + 1, j) >= length(i, j + 1)) i += 1;
    else j += 1;
  }
  return run;
}

/** Return what changes from one path to the next. */
export function compare(before: LearningPath, after: LearningPath): Difference {
  const old = before.steps.map((step) => step.course.id);
  const now = after.steps.map((step) => step.course.id);
  const run = kept(old, now);
  const courses = (path: LearningPath, wanted: (id: string) => boolean) =>
    path.steps.map((step) => step.course).filter((course) => wanted(course.id));
  return {
    added: courses(after, (id) => !old.includes(id)),
    removed: courses(before, (id) => !now.includes(id)),
    moved: courses(after, (id) => old.includes(id) && !run.has(id)),
    hours: [before.hours, after.hours],
    now: [before.coverage.before, after.coverage.before],
    reached: [before.coverage.after, after.coverage.after],
    measured: [before, after].every((path) => path.gaps.length > 0),
  };
}
