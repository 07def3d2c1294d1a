/** The share of the requirement that is held, and that is reached, as a bar and in words. */

import type { JSX } from 'preact';
import type { LearningPath } from '../api';
import { percent } from '../formats';
import { t } from '../i18n';

type Coverage = LearningPath['coverage'];

/** Return the share that is reached as courses are usually completed; `after` if the path closes nothing. */
function usually({ before, after, gained, expected }: Coverage): number {
  return gained > 0 ? before + ((after - before) * expected) / gained : after;
}

/** The share of the requirement before and after, as a bar and in words. */
export function CoverageBar({ coverage }: { coverage: Coverage }): JSX.Element {
  const { before, after } = coverage;
  const likely = percent(usually(coverage));
  const wide = (share: number) => `${(100 * share).toFixed(1)}%`;
  return (
    <figure class="coverage">
      <figcaption>{t('coverage')}</figcaption>
      <svg class="coverage-bar" height={20} aria-hidden="true">
        <rect class="track" width="100%" height={20} rx={10} />
        <rect class="reached" width={wide(after)} height={20} rx={10} />
        <rect class="now" width={wide(before)} height={20} rx={10} />
      </svg>
      <ul class="coverage-words">
        <li class="now">
          {t('today')} <strong>{percent(before)}</strong>
        </li>
        <li class="reached">
          {t('afterAll')} <strong>{percent(after)}</strong>
        </li>
        {likely !== percent(after) && (
          <li class="likely">
            {t('afterUsual')} <strong>{likely}</strong>
          </li>
        )}
        <li>{t('target')}</li>
      </ul>
    </figure>
  );
}
