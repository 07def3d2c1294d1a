/** What publishing a draft would change for officers. */

import type { JSX } from 'preact';
import { decimal } from '../formats';
import { Localized, t, type Text } from '../i18n';
import { Disclosure } from '../ui';
import { Wide } from '../wide';
import type { Framework, FrameworkImpact } from './requests';

const SHOWN = 100;

interface ChangesProps {
  rows: FrameworkImpact['requirements'];
  titleIn: (of: 'skills' | 'job_groups', id: string) => Text;
}

/** The levels before and after, a row for each requirement that changes. */
function Changes({ rows, titleIn }: ChangesProps): JSX.Element {
  const level = (value: number | null | undefined) => (value === null || value === undefined ? t('notRequired') : decimal(value));
  return (
    <Wide aria-labelledby="impact-title">
      <table>
        <thead>
          <tr>
            <th scope="col">{t('jobGroup')}</th>
            <th scope="col">{t('skill')}</th>
            <th scope="col">{t('before')}</th>
            <th scope="col">{t('after')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={`${row.job_group} ${row.stage ?? ''} ${row.skill}`}>
              <th scope="row">
                <Localized text={titleIn('job_groups', row.job_group)} />
                {row.stage && ` (${row.stage})`}
              </th>
              <td>
                <Localized text={titleIn('skills', row.skill)} />
              </td>
              <td>{level(row.before)}</td>
              <td>{level(row.after)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

interface ImpactProps {
  impact: FrameworkImpact;
  draft: Framework;
  published: Framework | undefined;
}

export function Impact({ impact, draft, published }: ImpactProps): JSX.Element {
  const titles = (of: 'skills' | 'job_groups') =>
    new Map<string, Text>([published, draft].flatMap((one) => one?.[of].map(({ id, title }): [string, Text] => [id, title]) ?? []));
  const known = { skills: titles('skills'), job_groups: titles('job_groups') };
  const titleIn = (of: 'skills' | 'job_groups', id: string): Text => known[of].get(id) ?? { en: id };
  const lists = [
    ['skills_added', 'skills', impact.skills_added],
    ['skills_removed', 'skills', impact.skills_removed],
    ['unmapped_skills', 'skills', impact.unmapped_skills],
    ['job_groups_added', 'job_groups', impact.job_groups_added],
    ['job_groups_removed', 'job_groups', impact.job_groups_removed],
    ['unmapped_job_groups', 'job_groups', impact.unmapped_job_groups],
  ] as const;
  const rest = impact.requirements.slice(SHOWN);
  const nothing = impact.requirements.length === 0 && !impact.scale_changed && lists.every(([, , ids]) => ids.length === 0);
  return (
    <div class="impact">
      <h3 id="impact-title">{t('impactTitle')}</h3>
      {impact.outdated && <p class="short">{t('impactOutdated', { n: impact.version })}</p>}
      {impact.scale_changed && <p class="short">{t('impactScale')}</p>}
      <p>{nothing ? t('impactNothing') : t('impactSummary', { n: impact.requirements.length, groups: impact.job_groups.length })}</p>
      {lists.map(
        ([name, of, ids]) =>
          ids.length > 0 && (
            <div key={name}>
              <h4>{t(`impact.${name}`)}</h4>
              <ul>
                {ids.map((id) => (
                  <li key={id}>
                    <Localized text={titleIn(of, id)} />
                  </li>
                ))}
              </ul>
            </div>
          ),
      )}
      {impact.requirements.length > 0 && <Changes rows={impact.requirements.slice(0, SHOWN)} titleIn={titleIn} />}
      {rest.length > 0 && (
        <Disclosure name="impact-rest" summary={t('moreOf', { n: rest.length })}>
          {() => <Changes rows={rest} titleIn={titleIn} />}
        </Disclosure>
      )}
      <p>{impact.officers === null ? t('impactUncounted') : t('impactOfficers', { n: impact.officers })}</p>
    </div>
  );
}
