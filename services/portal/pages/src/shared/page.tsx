/** The page that a share link opens: one officer's path, read-only. It asks for that path with the link's key alone. */

import { useSignal } from '@preact/signals';
import createClient from 'openapi-fetch';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type * as recommender from '../../generated/recommender';
import { answer, ApiError, patient, type StoredPath, WORDS } from '../api';
import { asApiError, Refusal } from '../errors';
import { t } from '../i18n';
import { Plan } from '../officer/plan';
import type { ShareLink } from '../share_link';
import { show } from '../shell';
import { Button, Message } from '../ui';

/** Sends no cookies: the request uses the link's key, regardless of who is signed in in this browser. */
const client = createClient<recommender.paths>({
  baseUrl: `${window.location.origin}/api`,
  credentials: 'omit',
  cache: 'no-store',
  fetch: patient,
});

const read = ({ key, officer }: ShareLink): Promise<StoredPath> =>
  answer(
    client.GET('/v1/officers/{officer_id}/path', {
      params: { path: { officer_id: officer }, query: { lang: WORDS, context: true } },
      headers: { Authorization: `Bearer ${key}` },
    }),
  );

function Opened({ link }: { link: ShareLink }): JSX.Element {
  const found = useSignal<StoredPath | ApiError | undefined>(undefined);
  const load = async () => {
    found.value = undefined;
    show('loading');
    try {
      found.value = await read(link);
    } catch (error) {
      found.value = asApiError(error);
    }
    show('page');
  };
  useEffect(() => {
    void load();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- fetched once for each link
  }, [link.key, link.officer]);
  const { value } = found;
  if (value === undefined) return <Message title="loading" />;
  if (!(value instanceof ApiError)) {
    return (
      <Plan
        recommended={value}
        title={t('pathOf', { id: link.officer })}
        framework={value.context?.framework ?? undefined}
        weekly={value.context?.weekly_hours ?? undefined}
      >
        <p class="notice">{t('shared.readOnly')}</p>
      </Plan>
    );
  }
  if (value.status === 401 || value.status === 403) return <Message title="shared.over" why="shared.overWhy" />;
  if (value.status === 404) return <Message title="shared.none" why="shared.noneWhy" />;
  return (
    <Message title="failed">
      <p>
        <Refusal error={value} />
      </p>
      <Button name="again" class="main" onClick={load}>
        {t('again')}
      </Button>
    </Message>
  );
}

/** What a link opens; a damaged one shows an error. */
export default function SharedPage({ link }: { link: ShareLink | null }): JSX.Element {
  useEffect(() => {
    if (!link) show('page');
  }, [link]);
  return link ? <Opened link={link} /> : <Message title="shared.damaged" why="shared.damagedWhy" />;
}
