import { describe, expect, it } from 'vitest';
import type { LearningPath } from '../src/api';
import { compare } from '../src/officer/changes';

/** A path of these courses; what else it holds is of no matter here. */
const path = (courses: string): LearningPath =>
  ({
    steps: Array.from(courses).map((id) => ({ course: { id } })),
    hours: courses.length,
    coverage: { before: 0.1, after: 0.2 },
    gaps: [{}],
  }) as unknown as LearningPath;

describe('the changes between two paths', () => {
  it.each([
    ['abcd', 'abcd', '', '', ''],
    ['abcd', 'bcda', '', '', 'a'],
    ['abcd', 'xabcd', 'x', '', ''],
    ['abcd', 'acd', '', 'b', ''],
    ['abcd', 'dxba', 'x', 'c', 'ba'],
    ['', 'ab', 'ab', '', ''],
    ['ab', '', '', 'ab', ''],
  ])('from %j to %j', (before, after, added, removed, moved) => {
    const found = compare(path(before), path(after));
    const ids = (courses: { id: string }[]) => courses.map((course) => course.id).join('');
    expect([ids(found.added), ids(found.removed), ids(found.moved)]).toEqual([added, removed, moved]);
    expect(found.hours).toEqual([before.length, after.length]);
  });

  it('reports whether both paths have a requirement to measure by', () => {
    expect(compare(path('a'), path('b')).measured).toBe(true);
    expect(compare(path('a'), { ...path('b'), gaps: [] }).measured).toBe(false);
  });
});
