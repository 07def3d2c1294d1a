/** Changes of a framework that lead to its next version. Pure. */

import type { Framework, FrameworkDraft } from './requests';

type Requirement = NonNullable<Framework['requirements']>[number];

const placeOf = (group: string, stage: string | null | undefined, skill: string): string => `${group} ${stage ?? ''} ${skill}`;

const levels = new WeakMap<Framework, ReadonlyMap<string, number>>();

/** Return the required levels of a framework by job group, stage and skill. A form asks for many, of thousands of groups. */
function levelsOf(framework: Framework): ReadonlyMap<string, number> {
  const found = levels.get(framework) ?? new Map((framework.requirements ?? []).map((row) => [placeOf(row.job_group, row.stage, row.skill), row.level]));
  levels.set(framework, found);
  return found;
}

const isOf = (row: Requirement, group: string, stage: string | null, skill: string): boolean =>
  row.job_group === group && (row.stage ?? null) === stage && row.skill === skill;

/** Return the required level; undefined if there is none. */
export const requiredLevel = (framework: Framework, group: string, stage: string | null, skill: string): number | undefined =>
  levelsOf(framework).get(placeOf(group, stage, skill));

/** Return a framework in which a job group requires a level of a skill; undefined takes the requirement away. */
export function withRequirement(
  framework: Framework,
  group: string,
  stage: string | null,
  skill: string,
  level: number | undefined,
): Framework {
  const rows = framework.requirements ?? [];
  const known = requiredLevel(framework, group, stage, skill) !== undefined;
  if (level === undefined) return { ...framework, requirements: rows.filter((row) => !isOf(row, group, stage, skill)) };
  if (known) return { ...framework, requirements: rows.map((row) => (isOf(row, group, stage, skill) ? { ...row, level } : row)) };
  const fresh = { job_group: group, skill, level, ...(stage !== null && { stage }) } as Requirement;
  return { ...framework, requirements: [...rows, fresh] };
}

/** Return how many requirements differ. */
export function changesBetween(before: Framework, after: Framework): number {
  const [old, fresh] = [levelsOf(before), levelsOf(after)];
  const isGone = (place: string) => !fresh.has(place);
  return [...fresh].filter(([place, level]) => old.get(place) !== level).length + [...old.keys()].filter(isGone).length;
}

/** Return the step that a draft waits for. */
export function nextStep(draft: FrameworkDraft): 'review' | 'approve' | 'publish' {
  if (draft.state === 'draft') return 'review';
  return draft.state === 'reviewed' ? 'approve' : 'publish';
}
