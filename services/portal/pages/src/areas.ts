/** What a page lists by the areas of a framework. Pure, no DOM. */

import type { Framework } from './api';
import type { Text } from './i18n';

export interface Area<T> {
  id: string;
  title?: Text;
  items: T[];
}

/**
 * Return items by area, in the framework's order; areas without items are left out. What belongs to no area of the
 * framework follows, by the id that `areaOf` gives it. All are in one area without a title where the framework is not known.
 */
export function byArea<T>(items: readonly T[], areaOf: (item: T) => string, framework: Framework | undefined): Area<T>[] {
  if (!framework) return [{ id: '', items: [...items] }];
  const known = framework.areas;
  const unknown = [...new Set(items.map(areaOf))].filter((id) => !known.some((area) => area.id === id));
  return [...known, ...unknown.map((id) => ({ id, title: { en: id } }))]
    .map(({ id, title }) => ({ id, title, items: items.filter((item) => areaOf(item) === id) }))
    .filter((area) => area.items.length > 0);
}
