/** The catalog's courses: a search with facets, and one course with where each of its facts comes from. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { ApiError } from '../api';
import { Trouble, asApiError } from '../errors';
import { decimal, languageName, tenths } from '../formats';
import { language, localize, Localized, t, type Text } from '../i18n';
import { useTop } from '../shell';
import { Button, field } from '../ui';
import { address, goToView, link } from './address';
import { Course } from './course';
import { skillTitle } from './names';
import { CourseLink, PageHeading } from './parts';
import { type CatalogCourse, type CoursePage, searchCourses } from './requests';

const FILTERS = ['q', 'framework', 'skill', 'language', 'provider', 'max_hours', 'level', 'job_group'] as const;
type Filters = Partial<Record<(typeof FILTERS)[number], string>>;

/** Return the filters of the search from the address. */
const filtersOf = (params: URLSearchParams): Filters =>
  Object.fromEntries(FILTERS.flatMap((name) => (params.get(name) ? [[name, params.get(name)]] : [])));

/** A title in which the words of the search are marked. */
function Title({ course, places }: { course: CatalogCourse; places: Record<string, number[][]> | undefined }): JSX.Element {
  const { words, lang } = localize(course.title);
  const shown = lang ?? language();
  const letters = Array.from(course.title[shown] ?? ''); // places are counted in characters
  const hits = letters.join('').length === words.length ? (places?.[`title.${shown}`] ?? []) : [];
  const pieces: JSX.Element[] = [];
  let at = 0;
  for (const [from = 0, to = 0] of hits) {
    pieces.push(<span key={at}>{letters.slice(at, from).join('')}</span>, <mark key={`m${from}`}>{letters.slice(from, to).join('')}</mark>);
    at = to;
  }
  return (
    <span lang={shown}>
      {pieces}
      {hits.length ? letters.slice(at).join('') : words}
    </span>
  );
}

function Found({ page, courses }: { page: CoursePage; courses: CatalogCourse[] }): JSX.Element {
  return (
    <ul class="plain results">
      {courses.map((course) => (
        <li key={course.id}>
          <CourseLink id={course.id}>
            <Title course={course} places={page.highlights?.[course.id]} />
          </CourseLink>
          <span class="quiet">
            <Localized text={course.provider} /> · {t('hours', { n: tenths(course.hours) })} ·{' '}
            {t('teachesCount', { n: course.teaches?.length ?? 0 })}
            {(course.matched?.length ?? 0) > 0 && ` · ${t('matchedCount', { n: course.matched?.length ?? 0 })}`}
          </span>
        </li>
      ))}
    </ul>
  );
}

interface Narrowing {
  filters: Filters;
  count: number;
  name: string;
  lang?: string | undefined;
}

/** Return the filters that the results offer, by kind. */
function narrowings(facets: NonNullable<CoursePage['facets']>): [key: 'provider' | 'language' | 'skill' | 'hours', Narrowing[]][] {
  const named = (text: Text) => localize(text);
  return [
    ['skill', facets.skill.map(({ framework, skill, count }) => {
      const { words, lang } = named(skillTitle(framework, skill));
      return { filters: { framework, skill }, count, name: words, lang };
    })],
    ['provider', facets.provider.map(({ provider, count }) => {
      const { words, lang } = named(provider);
      return { filters: { provider: provider.th ?? provider.en ?? '' }, count, name: words, lang };
    })],
    ['language', facets.language.map(({ language, count }) => ({ filters: { language }, count, name: languageName(language) }))],
    ['hours', facets.hours.flatMap(({ most, count }) =>
      most === null ? [] : [{ filters: { max_hours: String(most) }, count, name: t('upTo', { hours: decimal(most) }) }],
    )],
  ];
}

const SHOWN = 6;

function Facets({ facets, filters }: { facets: NonNullable<CoursePage['facets']>; filters: Filters }): JSX.Element {
  return (
    <nav class="facets" aria-label={t('narrow')}>
      {narrowings(facets).map(([kind, all]) => {
        const rows = all.filter(({ count }) => count > 0);
        const list = (some: Narrowing[]) => (
          <ul class="plain">
            {some.map((one) => (
              <li key={JSON.stringify(one.filters)}>
                <a href={link('courses', { ...filters, ...one.filters })} lang={one.lang ?? language()}>
                  {one.name}
                </a>{' '}
                <span class="quiet">{one.count}</span>
              </li>
            ))}
          </ul>
        );
        return (
          rows.length > 0 && (
            <div key={kind}>
              <h2>{t(`facet.${kind}`)}</h2>
              {list(rows.slice(0, SHOWN))}
              {rows.length > SHOWN && (
                <details>
                  <summary>{t('moreOf', { n: rows.length - SHOWN })}</summary>
                  {list(rows.slice(SHOWN))}
                </details>
              )}
            </div>
          )
        );
      })}
    </nav>
  );
}

/** The filters of the search, each with a link that removes it. */
function Chosen({ filters }: { filters: Filters }): JSX.Element | null {
  const names = FILTERS.filter((name) => name !== 'q' && name !== 'framework' && filters[name]);
  if (!names.length) return null;
  const words = (name: (typeof FILTERS)[number]): string => {
    const value = filters[name] ?? '';
    if (name === 'skill' && filters.framework) return localize(skillTitle(filters.framework, value)).words;
    if (name === 'language') return languageName(value);
    return name === 'max_hours' ? t('upTo', { hours: value }) : value;
  };
  return (
    <ul class="plain chosen">
      {names.map((name) => (
        <li key={name}>
          <a class="button" href={link('courses', { ...filters, [name]: undefined, ...(name === 'skill' && { framework: undefined }) })}>
            {words(name)} <span aria-hidden="true">×</span>
            <span class="unseen">{t('takeAway')}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function Search(): JSX.Element {
  const filters = filtersOf(address.value.params);
  const wanted = JSON.stringify(filters);
  const pages = useSignal<CoursePage[]>([]);
  const error = useSignal<ApiError | undefined>(undefined);
  const busy = useSignal('');
  const load = async (after: string) => {
    busy.value = wanted;
    error.value = undefined;
    try {
      const page = await searchCourses({ ...filters, ...(after && { after }) });
      if (busy.value === wanted) pages.value = after ? [...pages.value, page] : [page];
    } catch (thrown) {
      if (busy.value === wanted) error.value = asApiError(thrown);
    }
    if (busy.value === wanted) busy.value = '';
  };
  useEffect(() => {
    void load('');
    // eslint-disable-next-line react-hooks/exhaustive-deps -- a search is what the address asks for
  }, [wanted]);
  const submit = (event: Event) => {
    event.preventDefault();
    goToView('courses', { ...filters, q: field('q').value.trim() });
  };
  const first = pages.value[0];
  const last = pages.value.at(-1);
  return (
    <>
      <PageHeading title="coursesTitle" />
      <form class="search" role="search" onSubmit={submit}>
        <label for="q">{t('searchFor')}</label>
        <div class="search-row">
          <input key={filters.q} id="q" type="search" maxLength={200} defaultValue={filters.q ?? ''} autocomplete="off" data-keep="q" />
          <Button name="search" class="main" submit>
            {t('search')}
          </Button>
        </div>
      </form>
      <Chosen filters={filters} />
      <p role="status" id="found">
        {busy.value && !first ? t('loading') : first && t('foundCount', { n: first.total ?? first.courses.length })}
      </p>
      {error.value && <Trouble error={error.value} again={() => load('')} />}
      {first && (
        <div class="columns browse">
          <div>
            {pages.value.map((page, i) => (
              <Found key={i} page={page} courses={page.courses} />
            ))}
            {last?.next && (
              <Button name="more" busy={busy.value !== ''} onClick={() => load(last.next ?? '')}>
                {t('showMore')}
              </Button>
            )}
          </div>
          {first.facets && <Facets facets={first.facets} filters={filters} />}
        </div>
      )}
    </>
  );
}

export default function Courses(): JSX.Element {
  const course = address.value.params.get('course');
  useTop(course ?? '');
  return course ? <Course key={course} id={course} /> : <Search />;
}
