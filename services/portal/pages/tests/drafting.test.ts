import { describe, expect, it } from 'vitest';
import { changesBetween, nextStep, requiredLevel, withRequirement } from '../src/editor/drafting';
import type { Framework, FrameworkDraft } from '../src/editor/requests';

const framework = {
  id: 'f',
  requirements: [
    { job_group: 'g', skill: 's', level: 2, weight: 1.5 },
    { job_group: 'g', skill: 's', level: 3, stage: 'senior' },
  ],
} as unknown as Framework;
const draft = (more: object) => ({ state: 'draft', proposed: { by: 'A. Wong' }, ...more }) as unknown as FrameworkDraft;

describe('a change of a requirement', () => {
  it('changes one job group, stage and skill only', () => {
    const after = withRequirement(framework, 'g', null, 's', 4);
    expect(after.requirements).toEqual([{ job_group: 'g', skill: 's', level: 4, weight: 1.5 }, framework.requirements?.[1]]);
    expect([requiredLevel(after, 'g', null, 's'), requiredLevel(after, 'g', 'senior', 's'), requiredLevel(after, 'h', null, 's')]).toEqual([4, 3, undefined]);
    expect(requiredLevel(framework, 'g', null, 's')).toBe(2);
  });

  it('adds and removes a row', () => {
    const added = withRequirement(framework, 'h', 'senior', 's', 1);
    expect(added.requirements?.at(-1)).toEqual({ job_group: 'h', skill: 's', level: 1, stage: 'senior' });
    expect(changesBetween(framework, added)).toBe(1);
    expect(changesBetween(framework, withRequirement(added, 'h', 'senior', 's', undefined))).toBe(0);
    expect(changesBetween(framework, withRequirement(framework, 'g', null, 's', undefined))).toBe(1);
  });
});

describe('a draft', () => {
  it('is reviewed, then approved, then published', () => {
    expect(['draft', 'reviewed', 'approved'].map((state) => nextStep(draft({ state })))).toEqual(['review', 'approve', 'publish']);
  });
});
