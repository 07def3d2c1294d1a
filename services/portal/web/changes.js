/** The difference between two paths. Pure, no DOM. */

/** Return the longest run of course ids that both orders share, as a set: what is in both and not in it has moved. */
function kept(before, after) {
  const lengths = Array.from({ length: before.length + 1 }, () => new Array(after.length + 1).fill(0));
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = before[i] === after[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const run = new Set();
  for (let i = 0, j = 0; i < before.length && j < after.length; ) {
    if (before[i] === after[j]) {
      run.add(before[i]);
      i += 1;
      j += 1;
    } else if (lengths[i + 1][j] >= lengths[i][j + 1]) i += 1;
    else j += 1;
  }
  return run;
}

/**
 * Return the courses added, removed and moved, and hours and coverage before and after, from one path to the next;
 * `measured` is false where one of the two has no requirement to measure coverage by.
 */
export function compare(before, after) {
  const old = before.steps.map((step) => step.course.id);
  const now = after.steps.map((step) => step.course.id);
  const run = kept(old, now);
  return {
    added: after.steps.filter((step) => !old.includes(step.course.id)).map((step) => step.course),
    removed: before.steps.filter((step) => !now.includes(step.course.id)).map((step) => step.course),
    moved: after.steps.filter((step) => old.includes(step.course.id) && !run.has(step.course.id)).map((step) => step.course),
    hours: [before.hours, after.hours],
    now: [before.coverage.before, after.coverage.before],
    reached: [before.coverage.after, after.coverage.after],
    measured: [before, after].every((path) => path.gaps?.length > 0),
  };
}
