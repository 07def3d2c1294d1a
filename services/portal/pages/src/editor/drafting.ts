/** Changes of a framework on the way to its next version. Pure. */

import type { Framework, FrameworkDraft } from './requests';

type Requirement = NonNullable<Framework['requirements']>[number];

const isOf = (row: Requirement, group: string, stage: string | null, skill: string): boolean =>
  row.job_group === group && (row.stage ?? null) === stage && row.skill === skill;

/** Return the level that is required, undefined where none is. */
export const requiredLevel = (framework: Framework, group: string, stage: string | null, skill: string): number | undefined =>
  framework.requirements?.find((row) => isOf(row, group, stage, skill))?.level;

/** Return a framework in which a job group requires a level of a skill; undefined takes the requirement away. */
export function withRequirement(
  framework: Framework,
  group: string,
  stage: string | null,
  skill: string,
  level: number | undefined,
): Framework {
  const rows = framework.requirements ?? [];
  const known = rows.some((row) => isOf(row, group, stage, skill));
  if (level === undefined) return { ...framework, requirements: rows.filter((row) => !isOf(row, group, stage, skill)) };
  if (known) return { ...framework, requirements: rows.map((row) => (isOf(row, group, stage, skill) ? { ...row, level } : row)) };
  const fresh = { job_group: group, skill, level, ...(stage !== null && { stage }) } as Requirement;
  return { ...framework, requirements: [...rows, fresh] };
}

/** Return how many requirements differ. */
export function changesBetween(before: Framework, after: Framework): number {
  const levelsOf = (framework: Framework) =>
    new Map((framework.requirements ?? []).map((row) => [`${row.job_group} ${row.stage ?? ''} ${row.skill}`, row.level]));
  const [old, fresh] = [levelsOf(before), levelsOf(after)];
  return [...new Set([...old.keys(), ...fresh.keys()])].filter((place) => old.get(place) !== fresh.get(place)).length;
}

/** Return the step that a draft waits for. */
export function nextStep(draft: FrameworkDraft): 'review' | 'approve' | 'publish' {
  if (draft.state === 'draft') return 'review';
  return draft.state === 'reviewed' ? 'approve' : 'publish';
}
