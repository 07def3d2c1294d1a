/** Where a row of what a course teaches comes from. Pure. */

import type { Match, SkillSpan } from './requests';

type Origin = 'given' | 'mapped' | 'confirmed' | 'corrected';

type Decided = Pick<Match, 'framework' | 'skill' | 'from' | 'to' | 'status' | 'corrected'>;

/** Return who states that a course teaches this: its provider, a mapping, or a person who confirmed or corrected a match. */
export function originOf(
  row: SkillSpan & { framework: string; mapped_from?: string | null },
  matches: readonly Decided[],
): Origin {
  if (row.mapped_from) return 'mapped';
  const same = (span: SkillSpan) => span.skill === row.skill && span.from === row.from && span.to === row.to;
  for (const match of matches) {
    if (match.framework !== row.framework) continue;
    if (match.status === 'confirmed' && same(match)) return 'confirmed';
    if (match.status === 'corrected' && match.corrected && same(match.corrected)) return 'corrected';
  }
  return 'given';
}
