/** Notices of a path: which skills to assess, what stays open, and which wanted courses are not in it. */

import type { JSX } from 'preact';
import type { LearningPath } from '../api';
import { apart } from '../formats';
import { Localized, t } from '../i18n';
import { Section } from '../ui';

interface OfPath {
  path: LearningPath;
}

/** What to assess first, and what to assess to confirm completed courses. */
export function ToAssess({ path }: OfPath): JSX.Element {
  const skills = path.assess_first ?? [];
  const kinds = [
    { title: 'assessFirst', why: 'assessFirstWhy', skills: skills.filter((one) => one.kind !== 'confirm') },
    { title: 'assessConfirm', why: 'assessConfirmWhy', skills: skills.filter((one) => one.kind === 'confirm') },
  ] as const;
  return (
    <>
      {kinds.map(
        (kind) =>
          kind.skills.length > 0 && (
            <section key={kind.title} class="assess" aria-labelledby={`${kind.title}-title`}>
              <h2 id={`${kind.title}-title`}>{t(kind.title)}</h2>
              <p class="quiet">{t(kind.why)}</p>
              <ul class="open-list">
                {kind.skills.map((one) => (
                  <li key={one.skill} data-skill={one.skill}>
                    <Localized as="h3" text={one.title} />
                    <Localized as="p" text={one.reason} />
                  </li>
                ))}
              </ul>
            </section>
          ),
      )}
    </>
  );
}

/** The gaps that stay open, and why. */
export function OpenGaps({ path }: OfPath): JSX.Element | null {
  if (path.open.length === 0) return null;
  return (
    <Section name="open" title="open" why="openWhy">
      <ul class="open-list">
        {path.open.map((gap) => {
          const [reached = '', required = ''] = apart(gap.reached, gap.required);
          return (
            <li key={gap.skill}>
              <Localized as="h3" text={gap.title} />
              <p class="quiet">{t('reaches', { reached, required })}</p>
              <Localized as="p" text={gap.reason} />
            </li>
          );
        })}
      </ul>
    </Section>
  );
}

/** Wanted courses that are not in the path, and why. */
export function Notes({ path }: OfPath): JSX.Element | null {
  const notes = path.notes ?? [];
  if (notes.length === 0) return null;
  return (
    <Section name="notes" title="notes">
      <ul class="open-list">
        {notes.map((note) => (
          <li key={note.course} data-course={note.course}>
            <Localized as="h3" text={note.title ?? { en: note.course }} />
            <Localized as="p" text={note.reason} />
          </li>
        ))}
      </ul>
    </Section>
  );
}
