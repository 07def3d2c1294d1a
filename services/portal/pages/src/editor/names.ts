/** The names of skills and levels: a framework or a course is fetched once, when a part of it is shown. */

import { signal } from '@preact/signals';
import { readFramework } from '../api';
import { asApiError } from '../errors';
import type { Text } from '../i18n';
import { session } from '../shell';
import { type CatalogCourse, type Framework, readCourse } from './requests';

const frameworks = signal<ReadonlyMap<string, Framework>>(new Map());
const courses = signal<ReadonlyMap<string, CatalogCourse>>(new Map());
const requested = new Set<string>();
session.subscribe(() => {
  frameworks.value = new Map(); // whoever signs in next may be of another tenant
  courses.value = new Map();
  requested.clear();
});

/** Return a framework once it is there; until then, and without it, names are ids. */
export function frameworkOf(id: string): Framework | undefined {
  fetchOnce(`framework ${id}`, async () => {
    const { value: who } = session;
    const found = await readFramework(id);
    if (session.value === who) frameworks.value = new Map(frameworks.value).set(id, found);
  });
  return frameworks.value.get(id);
}

/** Return a course once it is there. */
export function courseOf(id: string): CatalogCourse | undefined {
  fetchOnce(`course ${id}`, async () => {
    const { value: who } = session;
    const found = await readCourse(id);
    if (session.value === who) courses.value = new Map(courses.value).set(id, found);
  });
  return courses.value.get(id);
}

/** Forget a course, because it has changed: it is fetched again when it is shown. */
export function forgetCourse(id: string): void {
  requested.delete(`course ${id}`);
}

function fetchOnce(name: string, work: () => Promise<void>): void {
  if (requested.has(name)) return;
  requested.add(name);
  work().catch((thrown: unknown) => {
    asApiError(thrown); // what is missing shows its id
    window.setTimeout(() => requested.delete(name), 5000);
  });
}

/** Return the title of a skill. */
export function skillTitle(framework: string, skill: string): Text {
  return frameworkOf(framework)?.skills.find(({ id }) => id === skill)?.title ?? { en: skill };
}

/** Return the name of a level: a level between two steps of the scale has only a number. */
export const levelTitle = (framework: string, level: number): Text | undefined =>
  frameworkOf(framework)?.scale.find((step) => step.level === level)?.title;
