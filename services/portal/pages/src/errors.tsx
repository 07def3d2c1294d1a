/** The messages about refused requests. */

import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { ApiError } from './api';
import { type Key, language, Localized, rich, t } from './i18n';
import { fetchRefusals, inThai, refusalsAreHere } from './refusals';
import { Button } from './ui';

const BY_STATUS: Partial<Record<number, Key>> = {
  401: 'problems.401',
  403: 'problems.403',
  404: 'problems.404',
  409: 'problems.409',
  412: 'problems.412',
  413: 'problems.413',
  422: 'problems.422',
  429: 'problems.429',
};
const FIELDS: Partial<Record<string, Key>> = {
  at: 'finishedOn',
  budget_hours: 'totalHours',
  by: 'yourName',
  comment: 'comment',
  completed: 'alreadyTook',
  course: 'pickCourse',
  days: 'share.days',
  deadline: 'deadline',
  job_group: 'jobGroup',
  key: 'key',
  'matches[0].right.from': 'levelFrom',
  'matches[0].right.skill': 'skillTaught',
  'matches[0].right.to': 'levelTo',
  paths: 'supervision.title',
  stage: 'stage',
  weekly_hours: 'weekly',
};

/** Return the sentence for a refusal; `special` holds this place's own sentences for some statuses. */
function sentenceOf(error: ApiError, special: Partial<Record<number, Key>> = {}): string {
  const { status } = error;
  return t(
    special[status] ?? BY_STATUS[status] ?? (status === 0 ? 'unreachable' : status >= 500 ? 'busy' : 'problems.other'),
  );
}

/** A service's own words in the language of the page; nothing until the Thai ones have been fetched. */
export function Detail({ text }: { text: string }): JSX.Element | null {
  const isThai = language() === 'th';
  useEffect(() => {
    if (isThai) void fetchRefusals();
  }, [isThai]);
  if (!isThai) return <span>{text}</span>;
  if (!refusalsAreHere()) return null;
  const thai = inThai(text);
  return thai === undefined ? <span lang="en">{text}</span> : <span>{thai}</span>;
}

/** The statuses for which `detail` says more than the sentence for the status. */
const TELLING = new Set([400, 413, 415, 422]);

interface RefusalProps {
  error: ApiError;
  /** This place's own sentences for some statuses. */
  special?: Partial<Record<number, Key>> | undefined;
  /** Returns the name of a field of the request that only this place knows, such as one of a list. */
  nameOf?: ((field: string) => JSX.Element | undefined) | undefined;
}

/** The sentence for a refusal, the wrong field, and the service's own words, in the reader's language if they exist in it. */
export function Refusal({ error, special, nameOf }: RefusalProps): JSX.Element {
  if (error.texts) return <Localized text={error.texts} />;
  const known = FIELDS[error.field ?? ''];
  const field = (known ? t(known) : '') || (error.field && (nameOf?.(error.field) ?? <code lang="en">{error.field}</code>));
  const own = TELLING.has(error.status) || (error.status === 409 && !special?.[409]);
  return (
    <>
      {sentenceOf(error, special)}
      {field && <> {rich('problemField', { field })}</>}
      {own && error.detail && (
        <small class="detail">
          {t('problemDetail')} <Detail text={error.detail} />
        </small>
      )}
    </>
  );
}

interface TroubleProps extends RefusalProps {
  again?: (() => unknown) | undefined;
}

/** A sentence that says what could not be fetched, with a button to try again. */
export function Trouble({ again, ...refusal }: TroubleProps): JSX.Element {
  return (
    <div class="notice refused" role="alert">
      <p>
        <Refusal {...refusal} />
      </p>
      {again && (
        <Button name="again" onClick={again}>
          {t('again')}
        </Button>
      )}
    </div>
  );
}

/** Return an error of an answer; throw any other error again, because it is a fault of the page. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  throw error;
}
