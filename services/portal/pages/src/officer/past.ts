/** The contents of the history, computed from the services' answers. No requests. */

import type { SkillProfile, Statement } from '../api';

/** Completions, the newest first. */
export const finished = (statements: readonly Statement[]): Statement[] =>
  statements.filter((one) => one.action === 'completed').sort((a, b) => Date.parse(b.at) - Date.parse(a.at) || b.sequence - a.sequence);

const MOST_MONTHS = 24;

/** A month or a year, by its first moment, and how many courses were finished in it. */
export interface Period {
  kind: 'month' | 'year';
  begin: Date;
  n: number;
}

/** Return the months, in the reader's time zone, in which courses were finished, oldest first; years if there are many months. */
export function byPeriod(statements: readonly Statement[]): Period[] {
  const months = counted('month', statements);
  return months.length > MOST_MONTHS ? counted('year', statements) : months;
}

function counted(kind: Period['kind'], statements: readonly Statement[]): Period[] {
  const counts = new Map<number, number>();
  for (const { at } of statements) {
    const day = new Date(at);
    const begin = new Date(day.getFullYear(), kind === 'month' ? day.getMonth() : 0, 1).getTime();
    counts.set(begin, (counts.get(begin) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a - b).map(([begin, n]) => ({ kind, begin: new Date(begin), n }));
}

/** Return at most `most` of these moments in time: one of each, spread evenly, the first and the last among them. */
export function spread(moments: readonly string[], most: number): string[] {
  const all = [...new Map(moments.map((at) => [Date.parse(at), at])).entries()].sort(([a], [b]) => a - b).map(([, at]) => at);
  if (all.length <= most) return all;
  if (most < 2) return all.slice(-most);
  const chosen = Array.from({ length: most }, (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))]);
  return chosen.filter((at) => at !== undefined);
}

/** The levels of one skill at each moment, undefined if it was not assessed by then. */
export interface Moved {
  skill: string;
  levels: (number | undefined)[];
}

/** Return the levels of a framework's skills in these profiles, oldest first; skills without any level are left out. */
export function movements(profiles: readonly Pick<SkillProfile, 'framework' | 'skills'>[], framework: string): Moved[] {
  const held = profiles.map(
    ({ skills }) => new Map(skills.filter((one) => one.framework === framework).map((one) => [one.skill, one.level ?? undefined])),
  );
  const names = [...new Set(held.flatMap((one) => [...one.keys()]))];
  return names
    .map((skill) => ({ skill, levels: held.map((one) => one.get(skill)) }))
    .filter(({ levels }) => levels.some((level) => level !== undefined));
}

/** Return the first and the last level, and whether there was a level at only one of the moments. */
export function ends(levels: readonly (number | undefined)[]): { from: number; to: number; once: boolean } {
  const known = levels.filter((level) => level !== undefined);
  return { from: known[0] ?? 0, to: known.at(-1) ?? 0, once: known.length < 2 };
}
